"""Speech: features per video frame, speech activity, lips against sound."""
