"""The four operations everything else is made of."""


def add(left: float, right: float) -> float:
    return left + right


def subtract(left: float, right: float) -> float:
    return left - right


def multiply(left: float, right: float) -> float:
    return left * right


def divide(left: float, right: float) -> float:
    """`left` over `right`. ZeroDivisionError when `right` is zero."""
    return left / right
