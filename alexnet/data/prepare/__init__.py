"""What `prepare` does: from any source to the form that training reads."""
