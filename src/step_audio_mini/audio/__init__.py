"""Sound as arrays: files, resampling, features, level, augmentation."""
