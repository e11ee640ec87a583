"""The process that maps requests which take long, so that they delay no others and their memory is returned."""
