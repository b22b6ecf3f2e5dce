print("late", __spec__.parent)
