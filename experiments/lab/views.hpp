// Test-time augmentation: predictions averaged over an image and changed copies of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <elk/data/augment.hpp>
#include <elk/nn/module.hpp>

namespace elk::lab {

/// What an option --tta takes, for --help.
inline constexpr const char* views_help =
    "none, flip (and its mirror image), shift (and shifted by a pixel to each corner), shift:PIXELS (and "
    "shifted so far in eight directions), shift:PIXELS:STEP (by all multiples of STEP up to PIXELS along "
    "both axes, PIXELS 1 to 10 times STEP), or flip,S, where S is one of the last three; the network must "
    "have learned from such images by --augment";

/// The views of an image, itself first, that an option --tta names: none has no other; flip adds the mirror
/// image; shift adds the image shifted by one pixel towards each corner; shift:P:S those shifted along one
/// axis or both by a multiple of S pixels, P at most, (2 P / S + 1)^2 in all; shift:P is shift:P:P; flip,
/// before one of the last three adds all of theirs and the mirror images of them. (flip,shift gives ten
/// views, as the five crops and their mirror images of A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet
/// classification with deep convolutional neural networks", 2012.) UsageError for any other name, for a P
/// that is not 1 to 10 times S, and where `augment` does not train the network on such images: flip needs a
/// flip, shift a shift or a crop, shift:P and shift:P:S one by P pixels or more.
std::vector<Warp> views(const std::string& tta, const AugmentOptions& augment);

/// Thrown where `ended`, which is asked before each view of a thousand images, tells to end.
struct ViewsEnded {};

/// The probabilities that the network gives the images, f64 (N, classes): the mean of its softmax over the
/// views of each.
Tensor mean_probabilities(const nn::Module& net, const Dataset& images, const std::vector<Warp>& views,
                          DType dtype, const std::function<bool()>& ended = {});

/// The share of images whose label has the highest mean probability.
double accuracy_of_views(const nn::Module& net, const Dataset& images, const std::vector<Warp>& views,
                         DType dtype, const std::function<bool()>& ended = {});

}  // namespace elk::lab
