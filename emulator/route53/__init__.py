"""Route 53's data plane, in the supervisor: health checkers and a DNS server over the hosted zones."""
