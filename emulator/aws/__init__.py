"""What runs inside an AWS process: ministack, and what it lacks or does otherwise than AWS, by service."""
