// Losses: by default a mean over the batch, shape ().
#pragma once

#include <functional>
#include <optional>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// How the losses of single examples or elements are combined: their mean, their sum, or none, which returns
/// them all.
enum class Reduction { mean, sum, none };

/// Further options of cross_entropy. (As PyTorch's, except that no label is ignored unless you name one.)
struct CrossEntropyOptions {
  std::optional<Index> ignore_index = {};  ///< a label, of any value, whose rows count for nothing
  Tensor weight = {};          ///< of each class, (classes), a constant; the mean is then a weighted one
  double label_smoothing = 0;  ///< as smooth_cross_entropy's
  Reduction reduction = Reduction::mean;  ///< none: of the labels' shape
};

/// -log softmax(logits)[label]: logits (N, classes) and labels i64 (N) of 0 to classes - 1, or with more axes
/// before the classes, as in (N, T, classes) and (N, T). The mean's gradient is (softmax(logits) -
/// one_hot(labels)) / N. Labels of the logits' shape and dtype are soft targets, such as mixup makes: see
/// soft_cross_entropy. ValueError when every label is ignored, because the mean is then undefined.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options = {});

/// Cross-entropy with smoothed labels: a share `label_smoothing`, from 0 to 1, of each target is spread over
/// all classes. (C. Szegedy et al., "Rethinking the Inception architecture", 2016.)
Tensor smooth_cross_entropy(const Tensor& logits, const Tensor& labels, double label_smoothing);

/// -sum(targets * log softmax(logits)): soft targets (N, classes) of the logits' dtype, each row a
/// distribution. A target of 0 ignores a logit of -infinity.
Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets, Reduction reduction = Reduction::mean);

/// -log_probabilities[label]: log_probabilities (N, classes), labels i64 (N).
Tensor nll(const Tensor& log_probabilities, const Tensor& labels, Reduction reduction = Reduction::mean);

/// -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)) of each element, stable for any logit: shapes equal,
/// targets from 0 to 1.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        Reduction reduction = Reduction::mean);

/// Of each element e^2 / 2 where |e| <= delta and delta (|e| - delta / 2) beyond, e = prediction - target;
/// shapes equal, delta above 0. (P. J. Huber, 1964.)
Tensor huber(const Tensor& prediction, const Tensor& target, double delta = 1,
             Reduction reduction = Reduction::mean);

/// (prediction - target)² of each element; the shapes must be equal.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

/// |prediction - target| of each element, likewise.
Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

/// huber(prediction, target, beta) / beta: the slope beyond beta is 1, and beta may be 0.
Tensor smooth_l1(const Tensor& prediction, const Tensor& target, double beta = 1,
                 Reduction reduction = Reduction::mean);

/// target (log(target) - log_probabilities) of each element: how far distributions are from each other. The
/// prediction is given as logarithms, the target as probabilities; shapes are equal; the result is 0 where
/// the target is 0. The mean is over all elements, as in PyTorch: for a mean over distributions, divide the
/// sum by N.
Tensor kl_div(const Tensor& log_probabilities, const Tensor& target, Reduction reduction = Reduction::mean);

/// max(0, margin - target prediction) of each element, for scores and targets of -1 and 1; shapes equal.
/// (C. Cortes, V. Vapnik, "Support-vector networks", 1995.)
Tensor hinge(const Tensor& prediction, const Tensor& target, double margin = 1,
             Reduction reduction = Reduction::mean);

/// Options of gaussian_nll.
struct GaussianNllOptions {
  bool full = false;      ///< with the constant log(2 pi) / 2
  double epsilon = 1e-6;  ///< the least variance; the gradient passes below it as well
  Reduction reduction = Reduction::mean;
};
/// (log(variance) + (prediction - target)² / variance) / 2 of each element: -log likelihood of targets that
/// are normal around the prediction. The variances are of the prediction's shape, or broadcast to it;
/// ValueError for one below 0. (D. Nix, A. Weigend, 1994.)
Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    const GaussianNllOptions& options = {});

/// Options of triplet_margin.
struct TripletOptions {
  double margin = 1;
  double p = 2;           ///< of the norm
  double epsilon = 1e-6;  ///< added to each difference
  bool swap = false;      ///< takes the negative's distance from the positive where that is the smaller one
  Reduction reduction = Reduction::mean;
};
/// max(0, margin + |anchor - positive| - |anchor - negative|) of each row: three of one shape (..., D).
/// (V. Balntas et al., "Learning local feature descriptors with triplets", 2016.)
Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletOptions& options = {});

/// a · b / (|a| |b|) along an axis, which is reduced; a norm below epsilon counts as epsilon. Operands
/// broadcast. A similarity, from -1 to 1: a loss is 1 minus it.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, Axis axis = 1, double epsilon = 1e-8);

/// A loss as a value, a function of a prediction and a target: any function of two tensors, or one of those
/// above by its name, which then has its defaults: `Loss loss = mse`.
class Loss : public std::function<Tensor(const Tensor&, const Tensor&)> {
 public:
  using std::function<Tensor(const Tensor&, const Tensor&)>::function;
  // NOLINTBEGIN(google-explicit-constructor): a function is a loss
  Loss(Tensor (*f)(const Tensor&, const Tensor&, Reduction))
      : function([f](const Tensor& a, const Tensor& b) { return f(a, b, Reduction::mean); }) {}
  Loss(Tensor (*f)(const Tensor&, const Tensor&, double, Reduction))
      : function([f](const Tensor& a, const Tensor& b) { return f(a, b, 1, Reduction::mean); }) {}
  Loss(Tensor (*f)(const Tensor&, const Tensor&, const CrossEntropyOptions&))
      : function([f](const Tensor& a, const Tensor& b) { return f(a, b, {}); }) {}
  // NOLINTEND(google-explicit-constructor)
};

}  // namespace elk
