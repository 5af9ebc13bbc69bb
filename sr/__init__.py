"""Super-resolution: a 16-block ESRGAN trained from scratch, and the lift of forecasts with it.

Import from the modules themselves (`sr.network.rrdb`, `sr.training.loop`,
`sr.lift.guided_lift`, ...): the modules that training needs do not import GDAL, so nothing is
re-exported here.
"""
