"""Speech in, sensible speech out: ears, mind and voice that run on a plain CPU."""
