"""An application that is not ours: nothing here may be changed."""
