"""Results: measurements that follow what they were measured on."""
