"""Groups of alerts grown from real ones and spoilt, to see that no good member is lost."""
