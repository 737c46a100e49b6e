"""New tables from exports, points in time and recovery points; and rows put back after a bad writer."""
