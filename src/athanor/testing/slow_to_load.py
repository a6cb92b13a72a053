"""A module that takes three seconds to load, as heavy libraries do on slow machines."""

import time

time.sleep(3)
