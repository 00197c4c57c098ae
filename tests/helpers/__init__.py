"""What several tests share: recordings to read, servers to connect to, and processes to kill."""
