"""Text encoders: documents to vectors."""
