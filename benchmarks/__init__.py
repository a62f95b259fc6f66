"""What is measured, against peers where there are any; prints tables, asserts nothing."""
