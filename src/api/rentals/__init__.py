"""/v1/rental-reports: rental of society's vehicles."""
