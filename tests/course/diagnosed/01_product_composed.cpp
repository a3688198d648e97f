// WRONG +the rules\n +the tape has "mul", whose rule is the library.s: it is my_product that is to be there
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) { return a * b; }
