// What layers, losses and optimizers say of a dtype that is not theirs: who, which one, what was found, and
// what to write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/attention.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/adaptive.hpp>
#include <elk/optim/lbfgs.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/train/fit.hpp>

#include "support.hpp"

namespace elk {
namespace {

using namespace nn;
using test::error_of;
using testing::HasSubstr;

template <class F>
std::string dtype_error(F f) {
  return error_of<DTypeError>([&] { (void)f(); });
}

// A layer of f32, and an input as it takes it.
struct Called {
  std::unique_ptr<Module> layer;
  Tensor x;
  std::string name = "x";  // of the input, in messages
  std::string who = "";    // else the layer
};

template <class M>
Called called(M layer, const Shape& shape, const std::string& name = "x", const std::string& who = "") {
  return {std::make_unique<M>(std::move(layer)), ones(shape), name, who};
}

TEST(WrongDType, LayersSayWhichTheyHaveAndWhatToWrite) {
  Rng rng(1);
  std::vector<Called> layers;
  layers.push_back(called(Linear(3, 2, rng), {4, 3}));
  layers.push_back(called(Linear(3, 2, rng, {.bias = false}), {5, 4, 3}));
  layers.push_back(called(LayerNorm(3), {4, 3}));
  layers.push_back(called(RMSNorm(3), {4, 3}));
  layers.push_back(called(GroupNorm(2, 4), {2, 4, 3}));
  layers.push_back(called(BatchNorm1d(3), {4, 3}));
  layers.push_back(called(BatchNorm2d(3), {4, 3, 2, 2}));
  layers.push_back(called(Conv1d(2, 3, 3, rng), {1, 2, 5}));
  layers.push_back(called(Conv2d(2, 3, 3, rng, {.bias = false}), {1, 2, 5, 5}));
  layers.push_back(called(ConvTranspose2d(2, 3, 3, rng), {1, 2, 5, 5}));
  layers.push_back(called(RNN(3, 4, rng), {2, 5, 3}));
  layers.push_back(called(GRU(3, 4, rng, {.bias = false}), {2, 5, 3}));
  layers.push_back(called(LSTM(3, 4, rng, {.layers = 2}), {2, 5, 3}));
  layers.push_back(called(MultiheadAttention(6, 2, rng), {2, 5, 6}, "query"));
  layers.push_back(called(TransformerEncoderLayer(6, 2, rng, {.dim_feedforward = 8, .dropout = 0}), {2, 5, 6},
                          "query", "MultiheadAttention(6, 2 heads)"));
  layers.push_back(
      called(TransformerEncoderLayer(6, 2, rng, {.dim_feedforward = 8, .dropout = 0, .norm_first = true}),
             {2, 5, 6}, "x", "LayerNorm(6)"));
  for (const auto& [layer, x, name, who] : layers) {
    const std::string says = "[" + (who.empty() ? layer->describe() : who) + "] its weight is ";
    const Module& net = *layer;
    const Tensor& input = x;
    for (const bool trains : {false, true}) {
      const auto error = [&](DType dtype) {
        return dtype_error([&] {
          Rng draws(1);
          if (!trains) return net(cast(input, dtype));
          const Tape tape(draws);
          return net(cast(input, dtype));
        });
      };
      const std::string write = ": write cast(" + name + ", f32)";
      EXPECT_EQ(error(f64), says + "f32, " + name + " is f64" + write + ", or net.to(f64)");
      EXPECT_EQ(error(u8), says + "f32, " + name + " is u8" + write);
      EXPECT_EQ(error(i64), says + "f32, " + name + " is i64" + write + ", or look up ids in an Embedding");
    }
    // What it says helps.
    EXPECT_EQ(layer->operator()(cast(cast(x, f64), f32)).dtype(), f32);
    layer->to(f64);
    EXPECT_EQ(layer->operator()(cast(x, f64)).dtype(), f64);
    EXPECT_EQ(dtype_error([&] { return net(input); }),
              says + "f64, " + name + " is f32: write cast(" + name + ", f64), or net.to(f32)");
  }
}

TEST(WrongDType, StatesMasksAndStatistics) {
  Rng rng(1);
  const GRU gru(3, 4, rng);
  EXPECT_EQ(dtype_error([&] {
              return gru.run(ones({2, 5, 3}), {.h = zeros({1, 2, 4}, f64)}).output;
            }),
            "[GRU(3, 4)] its weight is f32, h is f64: write cast(h, f32), or net.to(f64)");
  const LSTM lstm(3, 4, rng);
  EXPECT_EQ(dtype_error([&] {
              return lstm.run(ones({2, 5, 3}), {.h = zeros({1, 2, 4}), .c = zeros({1, 2, 4}, f64)}).output;
            }),
            "[LSTM(3, 4)] its weight is f32, c is f64: write cast(c, f32), or net.to(f64)");

  const MultiheadAttention attention(6, 2, rng);
  const Tensor x = ones({2, 3, 6});
  EXPECT_EQ(dtype_error([&] { return attention.attend(x, cast(x, f64), x); }),
            "[MultiheadAttention(6, 2 heads)] its weight is f32, key is f64: write cast(key, f32), or "
            "net.to(f64)");
  EXPECT_EQ(dtype_error([&] { return attention.attend(x, x, cast(x, u8)); }),
            "[MultiheadAttention(6, 2 heads)] its weight is f32, value is u8: write cast(value, f32)");
  // A mask of i64 would be added to the scores.
  EXPECT_EQ(dtype_error([&] {
              return attention.attend(x, x, x, {.attn_mask = zeros({3, 3}, i64)});
            }),
            "[MultiheadAttention(6, 2 heads)] expected attn_mask of u8, or of f32 to add, got i64: write "
            "cast(attn_mask, u8)");
  EXPECT_EQ(dtype_error([&] {
              return attention.attend(x, x, x, {.key_padding_mask = zeros({2, 3}, f64)});
            }),
            "[MultiheadAttention(6, 2 heads)] expected key_padding_mask of u8, or of f32 to add, got f64: "
            "write cast(key_padding_mask, f32)");
  EXPECT_EQ(
      dtype_error([&] {
        return scaled_dot_product_attention(x, x, x, zeros({3, 3}, i64));
      }),
      "[scaled_dot_product_attention] expected a mask of u8, or of f32 to add, got i64: convert with cast");

  // Pixels are scaled as they are.
  const Normalize normalize(zeros({3}), ones({3}));
  EXPECT_EQ(normalize(ones({2, 3}, u8)).dtype(), f32);
  EXPECT_EQ(dtype_error([&] {
              return normalize(ones({2, 3}, f64));
            }),
            "[Normalize(3)] its mean is f32, x is f64: write cast(x, f32), or net.to(f64)");
  const Whiten whiten(zeros({3}), ones({2, 3}), f64);
  EXPECT_EQ(whiten(ones({2, 3}, u8)).dtype(), f64);
  EXPECT_EQ(dtype_error([&] {
              return whiten(ones({2, 3}));
            }),
            "[Whiten(3, 2)] its mean is f64, x is f32: write cast(x, f64), or net.to(f32)");
}

TEST(WrongDType, LayersAreMadeOfFloats) {
  Rng rng(1);
  const std::string rest = "] expected a dtype of f32 or f64, got i64";
  EXPECT_EQ(dtype_error([&] { return Linear(3, 2, rng, {.dtype = i64}); }), "[Linear" + rest);
  EXPECT_EQ(dtype_error([&] { return LayerNorm(3, 1e-5, i64); }), "[LayerNorm" + rest);
  EXPECT_EQ(dtype_error([&] { return RMSNorm(3, 1e-5, i64); }), "[RMSNorm" + rest);
  EXPECT_EQ(dtype_error([&] { return GroupNorm(1, 3, 1e-5, i64); }), "[GroupNorm" + rest);
  EXPECT_EQ(dtype_error([&] { return BatchNorm1d(3, {.dtype = i64}); }), "[BatchNorm" + rest);
  EXPECT_EQ(dtype_error([&] { return Conv1d(3, 2, 1, rng, {.dtype = i64}); }), "[Conv1d" + rest);
  EXPECT_EQ(dtype_error([&] { return Conv2d(3, 2, 1, rng, {.dtype = i64}); }), "[Conv2d" + rest);
  EXPECT_EQ(dtype_error([&] { return ConvTranspose2d(3, 2, 1, rng, {.dtype = i64}); }),
            "[ConvTranspose2d" + rest);
  EXPECT_EQ(dtype_error([&] { return Embedding(3, 2, rng, {.dtype = i64}); }), "[Embedding" + rest);
  EXPECT_EQ(dtype_error([&] { return GRU(3, 2, rng, {.dtype = i64}); }), "[GRU" + rest);
  EXPECT_EQ(dtype_error([&] { return MultiheadAttention(4, 2, rng, {.dtype = i64}); }),
            "[MultiheadAttention" + rest);
  EXPECT_EQ(dtype_error([&] { return Normalize(zeros({3}), ones({3}), i64); }),
            "[Normalize] expected f32 or f64, got i64");
}

TEST(WrongDType, EmbeddingsWantIds) {
  Rng rng(1);
  const Embedding embedding(7, 3, rng);
  for (const DType dtype : {f32, f64, u8})
    EXPECT_EQ(
        dtype_error([&] { return embedding(zeros({2}, dtype)); }),
        std::string("[Embedding(7, 3)] expected ids of i64, got ") + name(dtype) + ": write cast(ids, i64)");
}

TEST(WrongDType, LayersWithoutParametersNameTheOperation) {
  const auto says = [](const Module& layer, const Shape& shape) {
    return dtype_error([&] { return layer(ones(shape, i64)); });
  };
  const std::string rest = "] expected f32 or f64, got i64: convert with cast";
  EXPECT_EQ(says(ReLU(), {3}), "[relu" + rest);
  EXPECT_EQ(says(LeakyReLU(), {3}), "[leaky_relu" + rest);
  EXPECT_EQ(says(Sigmoid(), {3}), "[sigmoid" + rest);
  EXPECT_EQ(says(Tanh(), {3}), "[tanh" + rest);
  EXPECT_EQ(says(GELU(), {3}), "[gelu" + rest);
  EXPECT_EQ(says(SiLU(), {3}), "[silu" + rest);
  EXPECT_EQ(says(ELU(), {3}), "[elu" + rest);
  EXPECT_EQ(says(SELU(), {3}), "[selu" + rest);
  EXPECT_EQ(says(Softsign(), {3}), "[softsign" + rest);
  EXPECT_EQ(says(LogSigmoid(), {3}), "[log_sigmoid" + rest);
  EXPECT_EQ(says(Softmax(), {3}), "[softmax" + rest);
  EXPECT_EQ(says(MaxPool1d(2), {1, 1, 4}), "[max_pool1d" + rest);
  EXPECT_EQ(says(MaxPool2d(2), {1, 1, 4, 4}), "[max_pool2d" + rest);
  EXPECT_EQ(says(AvgPool1d(2), {1, 1, 4}), "[avg_pool1d" + rest);
  EXPECT_EQ(says(AvgPool2d(2), {1, 1, 4, 4}), "[avg_pool2d" + rest);
  EXPECT_EQ(says(AdaptiveAvgPool1d(2), {1, 1, 4}), "[adaptive_avg_pool1d" + rest);
  EXPECT_EQ(says(AdaptiveAvgPool2d(2), {1, 1, 4, 4}), "[adaptive_avg_pool2d" + rest);
  EXPECT_EQ(says(Upsample(2), {1, 1, 4, 4}), "[interpolate" + rest);
}

TEST(WrongDType, LossesNamePredictionAndTarget) {
  const Tensor y = ones({2, 3}), y64 = ones({2, 3}, f64), whole = ones({2, 3}, i64);
  const auto says = [](auto loss, const Tensor& a, const Tensor& b) {
    return dtype_error([&] { return loss(a, b); });
  };
  const std::string rest = "dtypes differ: prediction f32, target f64: write cast(target, f32)";
  EXPECT_EQ(says(Loss(mse), y, y64), "[mse] " + rest);
  EXPECT_EQ(says(Loss(l1), y, y64), "[l1] " + rest);
  EXPECT_EQ(says(Loss(smooth_l1), y, y64), "[smooth_l1] " + rest);
  EXPECT_EQ(says(Loss(huber), y, y64), "[huber] " + rest);
  EXPECT_EQ(says(Loss(hinge), y, y64), "[hinge] " + rest);
  EXPECT_EQ(mse(y, whole).item(), 0);  // integers give way, as in arithmetic
  EXPECT_EQ(hinge(y, whole).item(), 0);

  const Loss bce = binary_cross_entropy_with_logits, ce = cross_entropy, soft = soft_cross_entropy;
  EXPECT_EQ(
      says(bce, y, y64),
      "[binary_cross_entropy_with_logits] dtypes differ: logits f32, targets f64: write cast(targets, f32)");
  EXPECT_EQ(
      says(bce, y, whole),
      "[binary_cross_entropy_with_logits] dtypes differ: logits f32, targets i64: write cast(targets, f32)");
  EXPECT_EQ(
      says(bce, whole, y),
      "[binary_cross_entropy_with_logits] dtypes differ: logits i64, targets f32: write cast(logits, f32)");
  EXPECT_EQ(says(soft, y, y64),
            "[soft_cross_entropy] dtypes differ: logits f32, targets f64: write cast(targets, f32)");
  EXPECT_EQ(says(ce, y, y64),
            "[soft_cross_entropy] dtypes differ: logits f32, targets f64: write cast(targets, f32)");
  for (const DType dtype : {f32, f64, u8}) {
    const std::string got =
        std::string("expected labels of i64, got ") + name(dtype) + ": write cast(labels, i64)";
    EXPECT_EQ(says(ce, y, zeros({2}, dtype)), "[cross_entropy] " + got);
    EXPECT_EQ(says(Loss(nll), y, zeros({2}, dtype)), "[nll] " + got);
  }
  EXPECT_EQ(dtype_error([&] { return cross_entropy(y, zeros({2}, i64), {.weight = ones({3}, f64)}); }),
            "[cross_entropy] dtypes differ: logits f32, weight f64: write cast(weight, f32)");
  EXPECT_EQ(says(Loss(kl_div), y, whole),
            "[kl_div] dtypes differ: log_probabilities f32, target i64: write cast(target, f32)");
  EXPECT_EQ(dtype_error([&] { return gaussian_nll(y, y, y64); }),
            "[gaussian_nll] dtypes differ: prediction f32, variance f64: write cast(variance, f32)");
  EXPECT_EQ(dtype_error([&] { return gaussian_nll(y, y64, y); }), "[gaussian_nll] " + rest);
  EXPECT_EQ(dtype_error([&] { return triplet_margin(y, y, y64); }),
            "[triplet_margin] dtypes differ: anchor f32, negative f64: write cast(negative, f32)");
  EXPECT_EQ(dtype_error([&] { return cosine_similarity(y64, y); }),
            "[cosine_similarity] dtypes differ: a f64, b f32: write cast(b, f64)");
}

TEST(WrongDType, OptimizersAfterAConversion) {
  using namespace optim;
  using Make = std::function<std::unique_ptr<Optimizer>(const Module&)>;
  const std::vector<Make> optimizers{
      [](const Module& net) { return std::make_unique<SGD>(net, SGD::Options{.momentum = 0.9}); },
      [](const Module& net) { return std::make_unique<Adam>(net, Adam::Options{}); },
      [](const Module& net) { return std::make_unique<AdamW>(net, AdamW::Options{.amsgrad = true}); },
      [](const Module& net) { return std::make_unique<Lion>(net, Lion::Options{}); },
      [](const Module& net) { return std::make_unique<RMSprop>(net, RMSprop::Options{}); },
      [](const Module& net) { return std::make_unique<Adagrad>(net, Adagrad::Options{}); },
      [](const Module& net) { return std::make_unique<Adamax>(net, Adamax::Options{}); },
      [](const Module& net) { return std::make_unique<NAdam>(net, NAdam::Options{}); },
  };
  for (const Make& make : optimizers) {
    Rng rng(1);
    Linear net(3, 2, rng);
    const auto gradients = [&](DType dtype) {
      Tape tape;
      return tape.backward(sum(net(ones({4, 3}, dtype))));
    };
    const std::unique_ptr<Optimizer> optimizer = make(net);
    const Gradients before = gradients(f32);
    optimizer->step(before);
    net.to(f64);
    EXPECT_EQ(error_of<DTypeError>([&] { optimizer->step(before); }),
              "[step] parameter \"weight\" is f64, its gradient f32: take it after the conversion");
    EXPECT_EQ(
        error_of<DTypeError>([&] { optimizer->step(gradients(f64)); }),
        "[step] parameter \"weight\" is f64 now, what the optimizer keeps of it f32: make a new optimizer "
        "after a conversion");
    make(net)->step(gradients(f64));
  }
  // L-BFGS computes in f64, whatever the parameters are.
  Rng rng(1);
  Linear net(3, 2, rng);
  LBFGS lbfgs(net);
  lbfgs.step([&] { return mse(net(ones({4, 3})), ones({4, 2})); });
  net.to(f64);
  lbfgs.step([&] { return mse(net(ones({4, 3}, f64)), ones({4, 2}, f64)); });
  EXPECT_EQ(net.weight().dtype(), f64);
}

// The layer is named where a network and its data meet.
TEST(WrongDType, AFitNamesTheLayer) {
  Rng rng(1);
  Sequential net{Linear(3, 2, rng)};
  optim::SGD sgd(net, {});
  const Examples ids(ones({4, 3}, i64), zeros({4}, i64));
  EXPECT_THAT(
      dtype_error([&] { return train::fit(net, sgd, ids, rng); }),
      HasSubstr("[Linear(3, 2)] its weight is f32, x is i64: write cast(x, f32), or look up ids in an "
                "Embedding"));
  const Examples floats(ones({4, 3}), ones({4}));
  EXPECT_THAT(dtype_error([&] { return train::fit(net, sgd, floats, rng); }),
              HasSubstr("[cross_entropy] expected labels of i64, got f32: write cast(labels, i64)"));
}

}  // namespace
}  // namespace elk
