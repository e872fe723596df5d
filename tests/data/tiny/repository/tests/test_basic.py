import pytest
from calculator.basic import add, divide, multiply, subtract


def test_the_four_operations():
    assert add(2, 3) == 5
    assert subtract(2, 3) == -1
    assert multiply(2, 3) == 6
    assert divide(3, 2) == 1.5


def test_nothing_is_divided_by_zero():
    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
