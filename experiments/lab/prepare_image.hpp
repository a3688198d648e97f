// A user's image as an example of a data set.
#pragma once

#include <string>

#include <elk/tensor/tensor.hpp>

namespace elk::lab {

/// The image u8 (3, H, W), as read_image gives it, as the examples of the data set are:
///   digits, mnist   center_digit() of its brightness; an image of 28 x 28 with a dark border is taken to be
///   one of them
///                   and stays as it is: u8 (28, 28)
///   fashion-mnist   brightness, light on dark, its longer side scaled to 28 and the rest filled up with the
///   background;
///                   28 x 28 stays as it is: u8 (28, 28)
///   cifar-10        the square in its middle, scaled: u8 (3, 32, 32)
/// ValueError for another data set, and when there is nothing on the image of a digit.
Tensor prepare_image(const Tensor& image, const std::string& dataset);

}  // namespace elk::lab
