"""What makes and checks parts of the repository; run by make, not by the platform."""
