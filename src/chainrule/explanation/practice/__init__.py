"""What a learner does: derivations to be checked, exercises to be graded."""
