"""What Lambda hands over and takes back; apart by source, so that no function loads another's events."""
