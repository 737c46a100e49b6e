"""New tables from exports, points in time and recovery points; and rows rolled back after a bad writer."""
