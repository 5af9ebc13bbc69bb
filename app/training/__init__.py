"""What `landcast train` runs, on machines without GDAL too."""
