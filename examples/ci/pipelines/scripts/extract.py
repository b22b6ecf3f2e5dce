"""Write some orders."""

import csv

OUTPUT = "/opt/ml/processing/output/orders/orders.csv"
ORDERS = [("ada", 3), ("bob", 5), ("ada", 4)]


def main():
    with open(OUTPUT, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "amount"])
        writer.writerows(ORDERS)


if __name__ == "__main__":
    main()
