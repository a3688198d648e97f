#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <limits>
#include <map>
#include <numbers>
#include <typeinfo>
#include <utility>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/nn/residual.hpp>
#include <elk/onnx/onnx.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

constexpr int operator_set = 13, ir_version = 7;  // of 2020: widely read, and what these operators need

constexpr Index worked_out = -1, as_before = 0;  // for Reshape: sizes that depend on the batch

constexpr const char* known =
    "Linear, LayerNorm, Normalize, Whiten (of a matrix), ReLU, LeakyReLU, ELU, SELU, SiLU, GELU, Sigmoid, "
    "LogSigmoid, Tanh, Hardtanh, Softsign, Softmax, Flatten, Dropout, GaussianNoise, Conv1d, Conv2d, "
    "ConvTranspose2d, MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d, "
    "AdaptiveAvgPool1d and AdaptiveAvgPool2d (of windows of one size), Upsample, BatchNorm1d, BatchNorm2d, "
    "GroupNorm, RMSNorm, Embedding (of the input), RNN, GRU, LSTM, MultiheadAttention, "
    "TransformerEncoderLayer, Residual, Sequential, or a Function named relu, leaky_relu, sigmoid, tanh, "
    "gelu or clip(...)";

// A value of the graph, and what it is for a probe: that tells its shape, and shows whether the graph
// computes what the network does.
struct Value {
  std::string name;
  Tensor probe;
};

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(detail::readable<char>(a), detail::readable<char>(b),
                     static_cast<std::size_t>(a.size()) * byte_size(a.dtype())) == 0;
}

// `module` as an M, if it is one and not of a derived class, which may compute anything.
template <class M>
const M* exactly(const nn::Module& module) {
  return typeid(module) == typeid(M) ? static_cast<const M*>(&module) : nullptr;
}

onnx::TensorProto::DataType element_type(DType dtype) {
  return dtype == f32   ? onnx::TensorProto::FLOAT
         : dtype == f64 ? onnx::TensorProto::DOUBLE
                        : onnx::TensorProto::INT64;
}

class Exporter {
 public:
  explicit Exporter(const nn::Sequential& net) : net_(net) {
    model_.set_ir_version(ir_version);
    model_.set_producer_name("elkgrad");
    onnx::OperatorSetIdProto& set = *model_.add_opset_import();
    set.set_domain("");
    set.set_version(operator_set);
    graph_.set_name("elkgrad");
    const std::vector<nn::NamedSlot> parameters = net.parameters();
    if (!parameters.empty()) dtype_ = parameters.front().slot->value().dtype();
    for (const auto& [name, slot] : parameters) names_[slot.get()] = initializer(name, slot->value());
  }

  onnx::ModelProto run(const Shape& input_shape);

 private:
  using Names = std::initializer_list<std::string>;

  // The name of something of a module's, which has a dot before it unless the module is the whole network.
  std::string inner(const nn::Module& module, const char* name) const {
    const std::string path = net_.name_of(&module);
    const auto at = times_.find(&module);
    const std::string again = at != times_.end() && at->second > 1 ? fmt::format("_{}", at->second) : "";
    return (path.empty() ? name : path + "." + name) + again;
  }

  [[noreturn]] void refuse(const nn::Module& module, const std::string& why) const {
    const std::string name = net_.name_of(&module), what = module.describe();
    fail<ValueError>("[onnx] {} has no ONNX form: {}",
                     name.empty() ? what : fmt::format("\"{}\" ({})", name, what), why);
  }
  void describe(onnx::ValueInfoProto& info, const char* name, const Tensor& probe) const;

  const std::string& weight(const nn::Parameter& parameter) const {
    return names_.at(parameter.slot().get());
  }

  // These return the name of what they add.
  std::string initializer(const std::string& name, const Tensor& x);
  std::string constant(const nn::Module& module, const char* name, double value) {
    return initializer(inner(module, name), scalar(value, dtype_));
  }
  std::string node(const nn::Module& module, const char* operation, const Names& inputs,
                   const char* output = "output");
  std::string reshape(const nn::Module& module, const std::string& x, const std::vector<Index>& sizes,
                      const char* output);
  // A matrix of rows as `shape`, which has another batch.
  std::string unfold(const nn::Module& module, const std::string& rows, const Shape& shape);
  // Of the node that was added last.
  onnx::AttributeProto& attribute(const char* name, onnx::AttributeProto::AttributeType type);
  void set(const char* name, Index value) { attribute(name, onnx::AttributeProto::INT).set_i(value); }
  void set(const char* name, const char* value) {
    attribute(name, onnx::AttributeProto::STRING).set_s(value);
  }
  void set(const char* name, double value) {
    attribute(name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(value));
  }
  void set(const char* name, const std::vector<Index>& values) {
    onnx::AttributeProto& list = attribute(name, onnx::AttributeProto::INTS);
    for (const Index value : values) list.add_ints(value);
  }
  void set_windows(const std::vector<Index>& kernel, const std::vector<Index>& strides,
                   const std::vector<Index>& padding);

  Value add(const nn::Module& module, const Value& x);
  Value add_sequence(const nn::Sequential& sequence, const Value& x);
  std::string add_linear(const nn::Linear& linear, const Value& x, const Shape& result);
  std::string add_layer_norm(const nn::LayerNorm& norm, const Value& x);
  std::string add_normalize(const nn::Normalize& normalize, const std::string& x);
  std::string add_whiten(const nn::Whiten& whiten, const std::string& x);
  std::string add_leaky_relu(const nn::Module& module, const std::string& x, double slope);
  std::string add_gelu(const nn::Module& module, const std::string& x, const char* output = "output");
  std::string add_activation(const nn::Module& module, const std::string& x);
  std::string add_function(const nn::Function& function, const std::string& x);
  std::string add_convolution(const nn::Module& module, const std::string& x);
  std::string add_pooling(const nn::Module& module, const Value& x);
  std::string add_adaptive(const nn::Module& module, const Value& x, const std::vector<Index>& size);
  std::string add_upsample(const nn::Upsample& upsample, const std::string& x);
  std::string add_batch_norm(const nn::BatchNorm& norm, const std::string& x);
  std::string add_group_norm(const nn::GroupNorm& norm, const Value& x);
  std::string add_rms_norm(const nn::RMSNorm& norm, const std::string& x);
  std::string add_attention(const nn::MultiheadAttention& attention, const Value& x);
  std::string add_transformer(const nn::TransformerEncoderLayer& layer, const Value& x);
  std::string add_recurrent(const nn::Recurrent& net, const char* operation, const std::vector<Index>& gates,
                            const std::string& x);

  const nn::Sequential& net_;
  DType dtype_ = f32;
  onnx::ModelProto model_;
  onnx::GraphProto& graph_ = *model_.mutable_graph();
  onnx::NodeProto* last_ = nullptr;
  std::map<const nn::Parameter::Slot*, std::string> names_;  // of the weights
  std::map<const nn::Module*, int> times_;                   // that it was added: a Sequential may repeat one
};

std::string Exporter::initializer(const std::string& name, const Tensor& x) {
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(element_type(x.dtype()));
  for (const Index size : x.shape()) tensor.add_dims(size);
  tensor.set_raw_data(detail::readable<char>(x), static_cast<std::size_t>(x.size()) * byte_size(x.dtype()));
  return name;
}

std::string Exporter::node(const nn::Module& module, const char* operation, const Names& inputs,
                           const char* output) {
  const std::string name = inner(module, output);
  last_ = graph_.add_node();
  last_->set_name(name);
  last_->set_op_type(operation);
  for (const std::string& input : inputs) last_->add_input(input);
  last_->add_output(name);
  return name;
}

onnx::AttributeProto& Exporter::attribute(const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *last_->add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

std::string Exporter::reshape(const nn::Module& module, const std::string& x, const std::vector<Index>& sizes,
                              const char* output) {
  return node(module, "Reshape", {x, initializer(inner(module, output) + "_shape", from(sizes))}, output);
}

std::string Exporter::unfold(const nn::Module& module, const std::string& rows, const Shape& shape) {
  std::vector<Index> sizes(shape.begin(), shape.end());
  sizes[0] = worked_out;
  return reshape(module, rows, sizes, "output");
}

std::string Exporter::add_linear(const nn::Linear& linear, const Value& x, const Shape& result) {
  const bool matrix = x.probe.rank() == 2;  // Gemm takes nothing else
  const std::string rows = matrix ? x.name : reshape(linear, x.name, {worked_out, x.probe.size(-1)}, "rows"),
                    y = node(linear, "Gemm", {rows, weight(linear.weight())}, matrix ? "output" : "product");
  if (linear.has_bias()) last_->add_input(weight(linear.bias()));
  attribute("transB", onnx::AttributeProto::INT).set_i(1);
  return matrix ? y : unfold(linear, y, result);
}

// LayerNormalization came with operator set 17. InstanceNormalization does the same where each row is a
// channel. (OpenCV 4.6 multiplies by the weight only in a matrix, and keeps track of the batch only where it
// is not worked out.)
std::string Exporter::add_layer_norm(const nn::LayerNorm& norm, const Value& x) {
  const Shape& shape = x.probe.shape();
  const bool matrix = shape.rank() == 2;
  const Index size = shape[-1], rows_each = shape.size() / shape[0] / size;
  const std::string channels = reshape(norm, x.name, {as_before, rows_each, size}, "channels"),
                    one = initializer(inner(norm, "one"), ones({rows_each}, dtype_)),
                    zero = initializer(inner(norm, "zero"), zeros({rows_each}, dtype_)),
                    normal = node(norm, "InstanceNormalization", {channels, one, zero}, "normal");
  attribute("epsilon", onnx::AttributeProto::FLOAT).set_f(static_cast<float>(norm.epsilon()));
  const std::string rows = reshape(norm, normal, {matrix ? as_before : worked_out, size}, "rows"),
                    scaled = node(norm, "Mul", {rows, weight(norm.weight())}, "scaled"),
                    y = node(norm, "Add", {scaled, weight(norm.bias())}, matrix ? "output" : "shifted");
  return matrix ? y : unfold(norm, y, shape);
}

std::string Exporter::add_normalize(const nn::Normalize& normalize, const std::string& x) {
  const std::string mean = initializer(inner(normalize, "mean"), normalize.mean()),
                    scale = initializer(inner(normalize, "scale"), normalize.scale());
  return node(normalize, "Mul", {node(normalize, "Sub", {x, mean}, "centred"), scale});
}

std::string Exporter::add_whiten(const nn::Whiten& whiten, const std::string& x) {
  const std::string mean = initializer(inner(whiten, "mean"), whiten.mean()),
                    matrix = initializer(inner(whiten, "matrix"), whiten.matrix()),
                    centred = node(whiten, "Sub", {x, mean}, "centred"),
                    y = node(whiten, "Gemm", {centred, matrix});
  attribute("transB", onnx::AttributeProto::INT).set_i(1);
  return y;
}

std::string Exporter::add_leaky_relu(const nn::Module& module, const std::string& x, double slope) {
  const std::string y = node(module, "LeakyRelu", {x});
  attribute("alpha", onnx::AttributeProto::FLOAT).set_f(static_cast<float>(slope));
  return y;
}

// x (1 + erf(x / sqrt(2))) / 2; an operator of its own came with operator set 20.
std::string Exporter::add_gelu(const nn::Module& module, const std::string& x, const char* output) {
  const std::string scaled = node(module, "Mul",
                                  {x, constant(module, "root_half", 0.5 * std::numbers::sqrt2)}, "scaled"),
                    erf = node(module, "Erf", {scaled}, "erf"),
                    sum = node(module, "Add", {erf, constant(module, "one", 1)}, "sum"),
                    product = node(module, "Mul", {x, sum}, "product");
  return node(module, "Mul", {product, constant(module, "half", 0.5)}, output);
}

// Empty for what is no layer of element-wise activations without numbers of its own.
std::string Exporter::add_activation(const nn::Module& module, const std::string& x) {
  if (exactly<nn::GELU>(module)) return add_gelu(module, x);
  if (exactly<nn::ReLU>(module)) return node(module, "Relu", {x});
  if (exactly<nn::SELU>(module)) return node(module, "Selu", {x});
  if (exactly<nn::Sigmoid>(module)) return node(module, "Sigmoid", {x});
  if (exactly<nn::Softsign>(module)) return node(module, "Softsign", {x});
  if (exactly<nn::Tanh>(module)) return node(module, "Tanh", {x});
  if (exactly<nn::SiLU>(module)) return node(module, "Mul", {x, node(module, "Sigmoid", {x}, "sigmoid")});
  if (exactly<nn::LogSigmoid>(module)) {  // -softplus(-x)
    const std::string minus = node(module, "Neg", {x}, "minus");
    return node(module, "Neg", {node(module, "Softplus", {minus}, "softplus")});
  }
  if (const auto* elu = exactly<nn::ELU>(module)) {
    const std::string y = node(module, "Elu", {x});
    set("alpha", elu->alpha());
    return y;
  }
  if (const auto* hard = exactly<nn::Hardtanh>(module))
    return node(module, "Clip",
                {x, constant(module, "low", hard->low()), constant(module, "high", hard->high())});
  return "";
}

// We know a function by its name alone, so what it computes is compared with what the name promises. Empty
// for a name that we do not know, or that promises something else.
std::string Exporter::add_function(const nn::Function& function, const std::string& x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::string name = function.describe();
  const auto at = [&](double input) { return function(full({1, 1}, input, dtype_)).item(); };
  const auto is = [&](auto expected, double scale = 1) {
    std::vector<double> grid;
    for (int i = -64; i <= 64; ++i) grid.push_back(i * scale / 16);
    const Tensor inputs = cast(from(grid, {1, static_cast<Index>(grid.size())}), dtype_);
    return same(function(inputs), expected(inputs));
  };
  if (name == "relu" && is(relu)) return node(function, "Relu", {x});
  if (name == "sigmoid" && is(sigmoid)) return node(function, "Sigmoid", {x});
  if (name == "tanh" && is(tanh)) return node(function, "Tanh", {x});
  if (name == "gelu" && is(gelu)) return add_gelu(function, x);
  if (name == "leaky_relu") {
    const double slope = -at(-1);
    if (is([&](const Tensor& inputs) { return leaky_relu(inputs, slope); }))
      return add_leaky_relu(function, x, slope);
  }
  if (name.starts_with("clip(")) {
    const double low = at(-infinity), high = at(infinity);
    if (std::isfinite(low) && std::isfinite(high) && low <= high &&
        is([&](const Tensor& inputs) { return clamp(inputs, low, high); },
           std::max(std::abs(low), std::abs(high))))
      return node(function, "Clip", {x, constant(function, "low", low), constant(function, "high", high)});
  }
  return "";
}

void Exporter::set_windows(const std::vector<Index>& kernel, const std::vector<Index>& strides,
                           const std::vector<Index>& padding) {
  set("kernel_shape", kernel);
  set("strides", strides);
  std::vector<Index> both = padding;  // of the beginnings, then of the ends
  both.insert(both.end(), padding.begin(), padding.end());
  set("pads", both);
}

namespace {

std::vector<Index> both(const Pair& pair) { return {pair.rows, pair.columns}; }
// A stride of 0 is the kernel's.
Pair stride(const Pair& kernel, const Pair& given) {
  return {given.rows == 0 ? kernel.rows : given.rows, given.columns == 0 ? kernel.columns : given.columns};
}

// Whether the first thing that happens to the input is that it is looked up.
bool takes_ids(const nn::Module& module) {
  if (const auto* sequence = dynamic_cast<const nn::Sequential*>(&module))
    return sequence->size() > 0 && takes_ids((*sequence)[0]);
  return exactly<nn::Embedding>(module) != nullptr;
}

}  // namespace

// Empty for a module that is none.
std::string Exporter::add_convolution(const nn::Module& module, const std::string& x) {
  const auto* any = dynamic_cast<const nn::Convolution*>(&module);
  if (any == nullptr) return "";
  const auto convolution = [&](const char* operation) {
    const std::string y = node(module, operation, {x, weight(any->weight())});
    if (any->has_bias()) last_->add_input(weight(any->bias()));
    return y;
  };
  const Shape& shape = any->weight().shape();
  if (const auto* conv = exactly<nn::Conv1d>(module)) {
    const std::string y = convolution("Conv");
    const nn::Conv1d::Options& how = conv->options();
    set_windows({shape[2]}, {how.stride}, {how.padding});
    set("dilations", std::vector<Index>{how.dilation});
    set("group", how.groups);
    return y;
  }
  if (const auto* conv = exactly<nn::Conv2d>(module)) {
    const std::string y = convolution("Conv");
    const nn::Conv2d::Options& how = conv->options();
    set_windows({shape[2], shape[3]}, both(how.stride), both(how.padding));
    set("dilations", both(how.dilation));
    set("group", how.groups);
    return y;
  }
  if (const auto* conv = exactly<nn::ConvTranspose2d>(module)) {
    const std::string y = convolution("ConvTranspose");
    const nn::ConvTranspose2d::Options& how = conv->options();
    set_windows({shape[2], shape[3]}, both(how.stride), both(how.padding));
    set("dilations", both(how.dilation));
    set("output_padding", both(how.output_padding));
    set("group", how.groups);
    return y;
  }
  return "";
}

// Empty for a module that is none.
std::string Exporter::add_pooling(const nn::Module& module, const Value& x) {
  if (const auto* pool = exactly<nn::MaxPool2d>(module)) {
    const std::string y = node(module, "MaxPool", {x.name});
    set_windows(both(pool->kernel()), both(stride(pool->kernel(), pool->options().stride)),
                both(pool->options().padding));
    set("dilations", both(pool->options().dilation));
    return y;
  }
  if (const auto* pool = exactly<nn::MaxPool1d>(module)) {
    const std::string y = node(module, "MaxPool", {x.name});
    set_windows({pool->kernel()}, {stride(pool->kernel(), pool->options().stride).columns},
                {pool->options().padding.columns});
    set("dilations", std::vector<Index>{pool->options().dilation.columns});
    return y;
  }
  if (const auto* pool = exactly<nn::AvgPool2d>(module)) {
    const std::string y = node(module, "AveragePool", {x.name});
    set_windows(both(pool->kernel()), both(stride(pool->kernel(), pool->options().stride)),
                both(pool->options().padding));
    set("count_include_pad", Index{pool->options().count_include_pad});
    return y;
  }
  if (const auto* pool = exactly<nn::AvgPool1d>(module)) {
    const std::string y = node(module, "AveragePool", {x.name});
    set_windows({pool->kernel()}, {stride(pool->kernel(), pool->options().stride).columns},
                {pool->options().padding.columns});
    set("count_include_pad", Index{pool->options().count_include_pad});
    return y;
  }
  if (const auto* pool = exactly<nn::AdaptiveAvgPool2d>(module))
    return add_adaptive(module, x, both(pool->size()));
  if (const auto* pool = exactly<nn::AdaptiveAvgPool1d>(module))
    return add_adaptive(module, x, {pool->size()});
  return "";
}

// Windows of one size, or nothing.
std::string Exporter::add_adaptive(const nn::Module& module, const Value& x, const std::vector<Index>& size) {
  std::vector<Index> kernel;
  for (std::size_t axis = 0; axis < size.size(); ++axis) {
    const Index whole = x.probe.size(static_cast<int>(axis) + 2);
    if (whole % size[axis] != 0) return "";
    kernel.push_back(whole / size[axis]);
  }
  const std::string y = node(module, "AveragePool", {x.name});
  set_windows(kernel, kernel, std::vector<Index>(kernel.size(), 0));
  return y;
}

std::string Exporter::add_upsample(const nn::Upsample& upsample, const std::string& x) {
  const auto scale = [](Index size) { return static_cast<float>(size); };
  const std::string scales = initializer(
      inner(upsample, "scales"),
      from(std::vector<float>{1, 1, scale(upsample.scale().rows), scale(upsample.scale().columns)}));
  const std::string y = node(upsample, "Resize", {x, "", scales});
  const Interpolation mode = upsample.mode();
  set("mode", mode == Interpolation::nearest ? "nearest" : "linear");
  set("coordinate_transformation_mode", mode == Interpolation::nearest    ? "asymmetric"
                                        : mode == Interpolation::bilinear ? "half_pixel"
                                                                          : "align_corners");
  if (mode == Interpolation::nearest) set("nearest_mode", "floor");
  return y;
}

std::string Exporter::add_batch_norm(const nn::BatchNorm& norm, const std::string& x) {
  const std::string mean = initializer(inner(norm, "running_mean"), norm.running_mean()),
                    variance = initializer(inner(norm, "running_var"), norm.running_var()),
                    y = node(norm, "BatchNormalization",
                             {x, weight(norm.weight()), weight(norm.bias()), mean, variance});
  set("epsilon", norm.epsilon());
  return y;
}

std::string Exporter::add_group_norm(const nn::GroupNorm& norm, const Value& x) {
  const Shape& shape = x.probe.shape();
  Shape column{shape[1]};  // a number a channel, beside the axes that follow
  for (int axis = 2; axis < shape.rank(); ++axis) column.push_back(1);
  const std::string grouped = reshape(norm, x.name, {as_before, norm.groups(), worked_out}, "grouped"),
                    one = initializer(inner(norm, "one"), ones({norm.groups()}, dtype_)),
                    zero = initializer(inner(norm, "zero"), zeros({norm.groups()}, dtype_)),
                    normal = node(norm, "InstanceNormalization", {grouped, one, zero}, "normal");
  set("epsilon", norm.epsilon());
  std::vector<Index> sizes(shape.begin(), shape.end());
  sizes[0] = as_before;
  const std::string back = reshape(norm, normal, sizes, "back"),
                    weights = initializer(inner(norm, "weights"), elk::reshape(norm.weight(), column)),
                    biases = initializer(inner(norm, "biases"), elk::reshape(norm.bias(), column));
  return node(norm, "Add", {node(norm, "Mul", {back, weights}, "scaled"), biases});
}

std::string Exporter::add_rms_norm(const nn::RMSNorm& norm, const std::string& x) {
  const std::string square = node(norm, "Mul", {x, x}, "square"),
                    mean = node(norm, "ReduceMean", {square}, "mean");
  set("axes", std::vector<Index>{-1});
  const std::string sum = node(norm, "Add", {mean, constant(norm, "epsilon", norm.epsilon())}, "sum"),
                    root = node(norm, "Sqrt", {sum}, "root"), normal = node(norm, "Div", {x, root}, "normal");
  return node(norm, "Mul", {normal, weight(norm.weight())});
}

// One node a layer. `gates` are PyTorch's, and ours, in ONNX's order, which has time before the batch.
std::string Exporter::add_recurrent(const nn::Recurrent& net, const char* operation,
                                    const std::vector<Index>& gates, const std::string& x) {
  const auto reordered = [&](const Tensor& all) {
    std::vector<Tensor> parts;
    for (const Index gate : gates)
      parts.push_back(slice(all, 0, gate * net.hidden(), (gate + 1) * net.hidden()));
    return concat(parts);
  };
  const std::size_t directions = net.options().bidirectional ? 2 : 1;
  std::string y = node(net, "Transpose", {x}, "steps");
  set("perm", std::vector<Index>{1, 0, 2});
  for (std::size_t i = 0; i < net.cells().size(); i += directions) {
    std::vector<Tensor> input, recurrent, bias;
    for (std::size_t j = i; j < i + directions; ++j) {
      const nn::Recurrent::Cell& cell = net.cells()[j];
      input.push_back(reordered(cell.weight_ih));
      recurrent.push_back(reordered(cell.weight_hh));
      if (cell.bias_ih) bias.push_back(concat({reordered(*cell.bias_ih), reordered(*cell.bias_hh)}));
    }
    const std::string layer = fmt::format("l{}", i / directions);
    const auto named = [&](const char* what) { return inner(net, (layer + "_" + what).c_str()); };
    const std::string w = initializer(named("W"), stack(input)),
                      r = initializer(named("R"), stack(recurrent)),
                      b = bias.empty() ? "" : initializer(named("B"), stack(bias));
    y = node(net, operation, {y, w, r, b}, (layer + "_Y").c_str());
    set("hidden_size", net.hidden());
    set("direction", directions == 2 ? "bidirectional" : "forward");
    if (operation == std::string("GRU")) set("linear_before_reset", Index{1});
    y = node(net, "Transpose", {y}, (layer + "_turned").c_str());
    set("perm", std::vector<Index>{0, 2, 1, 3});
    y = reshape(net, y, {as_before, as_before, worked_out}, (layer + "_joined").c_str());
  }
  y = node(net, "Transpose", {y});
  set("perm", std::vector<Index>{1, 0, 2});
  return y;
}

// Of x (N, T, size) to itself, T being that of the input shape.
std::string Exporter::add_attention(const nn::MultiheadAttention& attention, const Value& x) {
  const Index steps = x.probe.size(1), size = attention.size(), heads = attention.heads(),
              each = size / heads;
  const auto turned = [&](const std::string& from, const std::vector<Index>& axes, const char* name) {
    const std::string y = node(attention, "Transpose", {from}, name);
    set("perm", axes);
    return y;
  };
  const std::string rows = reshape(attention, x.name, {worked_out, size}, "rows"),
                    projected =
                        node(attention, "Gemm", {rows, weight(attention.in_proj_weight())}, "projected");
  if (attention.has_bias()) last_->add_input(weight(attention.in_proj_bias()));
  set("transB", Index{1});
  // (N, T, which, head, feature), then (which, N, head, T, feature).
  const std::string parts = reshape(attention, projected, {worked_out, steps, 3, heads, each}, "parts"),
                    all = turned(parts, {2, 0, 3, 1, 4}, "heads");
  const auto part = [&](const char* name, double which) {
    return node(attention, "Gather",
                {all, initializer(inner(attention, name) + "_index", scalar(which, i64))}, name);
  };
  const std::string query = part("query", 0), key = part("key", 1), value = part("value", 2),
                    products = node(attention, "MatMul", {query, turned(key, {0, 1, 3, 2}, "key_turned")},
                                    "products"),
                    scale = constant(attention, "scale", 1 / std::sqrt(static_cast<double>(each)));
  std::string scores = node(attention, "Mul", {products, scale}, "scores");
  if (attention.options().causal) {
    const double infinity = std::numeric_limits<double>::infinity();
    const Tensor mask = where(tril(ones({steps, steps})) > 0, 0.0, -infinity, dtype_);
    scores = node(attention, "Add", {scores, initializer(inner(attention, "mask"), mask)}, "masked");
  }
  const std::string shares = node(attention, "Softmax", {scores}, "shares");
  set("axis", Index{-1});
  const std::string mixed = node(attention, "MatMul", {shares, value}, "mixed"),
                    joined = reshape(attention, turned(mixed, {0, 2, 1, 3}, "by_steps"),
                                     {worked_out, steps, size}, "joined");
  return add(attention.out_proj(), {joined, x.probe}).name;
}

std::string Exporter::add_transformer(const nn::TransformerEncoderLayer& layer, const Value& x) {
  const bool first = layer.options().norm_first;
  const auto sum = [&](const Value& a, const Value& b, const char* name) {
    return Value{node(layer, "Add", {a.name, b.name}, name), a.probe + b.probe};
  };
  const auto feed_forward = [&](const Value& from) {
    Value wide = add(layer.linear1(), from);
    wide.name = layer.options().gelu ? add_gelu(layer, wide.name, "activated")
                                     : node(layer, "Relu", {wide.name}, "activated");
    return add(layer.linear2(), wide);
  };
  if (first) {
    const Value attended = sum(x, add(layer.self_attn(), add(layer.norm1(), x)), "attended");
    return sum(attended, feed_forward(add(layer.norm2(), attended)), "output").name;
  }
  const Value attended = add(layer.norm1(), sum(x, add(layer.self_attn(), x), "attended"));
  return add(layer.norm2(), sum(attended, feed_forward(attended), "fed_forward")).name;
}

Value Exporter::add_sequence(const nn::Sequential& sequence, const Value& x) {
  const Tensor expected = sequence(x.probe);
  Value y = x;
  for (std::size_t i = 0; i < sequence.size(); ++i) y = add(sequence[i], y);
  if (dynamic_cast<const nn::Residual*>(&sequence) != nullptr)
    y = {node(sequence, "Add", {x.name, y.name}), x.probe + y.probe};
  if (!same(y.probe, expected))
    refuse(sequence,
           "expected a class that calls its parts one after another, found that it computes something else");
  return y;
}

Value Exporter::add(const nn::Module& module, const Value& x) {
  ++times_[&module];
  if (const auto* sequence = dynamic_cast<const nn::Sequential*>(&module)) return add_sequence(*sequence, x);
  if (exactly<nn::Dropout>(module) || exactly<nn::GaussianNoise>(module)) return x;
  const Tensor y = module(x.probe);
  const auto unary = [&](const char* operation) { return node(module, operation, {x.name}); };
  std::string name;
  if (const auto* linear = exactly<nn::Linear>(module)) {
    name = add_linear(*linear, x, y.shape());
  } else if (const auto* norm = exactly<nn::LayerNorm>(module)) {
    name = add_layer_norm(*norm, x);
  } else if (const auto* normalize = exactly<nn::Normalize>(module)) {
    name = add_normalize(*normalize, x.name);
  } else if (const auto* whiten = exactly<nn::Whiten>(module); whiten != nullptr && y.rank() == 2) {
    name = add_whiten(*whiten, x.name);
  } else if (const auto* leaky = exactly<nn::LeakyReLU>(module)) {
    name = add_leaky_relu(module, x.name, leaky->slope());
  } else if (const auto* function = exactly<nn::Function>(module)) {
    name = add_function(*function, x.name);
  } else if (exactly<nn::Softmax>(module)) {
    name = unary("Softmax");
    attribute("axis", onnx::AttributeProto::INT).set_i(-1);
  } else if (exactly<nn::Flatten>(module)) {
    name = unary("Flatten");
    attribute("axis", onnx::AttributeProto::INT).set_i(1);
  }
  if (name.empty()) name = add_activation(module, x.name);
  if (name.empty()) name = add_convolution(module, x.name);
  if (name.empty()) name = add_pooling(module, x);
  if (const auto* upsample = exactly<nn::Upsample>(module)) {
    name = add_upsample(*upsample, x.name);
  } else if (exactly<nn::BatchNorm1d>(module) || exactly<nn::BatchNorm2d>(module)) {
    name = add_batch_norm(static_cast<const nn::BatchNorm&>(module), x.name);
  } else if (const auto* group = exactly<nn::GroupNorm>(module)) {
    name = add_group_norm(*group, x);
  } else if (const auto* rms = exactly<nn::RMSNorm>(module)) {
    name = add_rms_norm(*rms, x.name);
  } else if (const auto* embedding = exactly<nn::Embedding>(module);
             embedding != nullptr && x.probe.dtype() == i64) {
    name = node(module, "Gather", {weight(embedding->weight()), x.name});
  } else if (const auto* rnn = exactly<nn::RNN>(module)) {
    name = add_recurrent(*rnn, "RNN", {0}, x.name);
  } else if (const auto* gru = exactly<nn::GRU>(module)) {
    name = add_recurrent(*gru, "GRU", {1, 0, 2}, x.name);
  } else if (const auto* lstm = exactly<nn::LSTM>(module)) {
    name = add_recurrent(*lstm, "LSTM", {0, 3, 1, 2}, x.name);
  } else if (const auto* attention = exactly<nn::MultiheadAttention>(module)) {
    name = add_attention(*attention, x);
  } else if (const auto* layer = exactly<nn::TransformerEncoderLayer>(module)) {
    name = add_transformer(*layer, x);
  }
  if (name.empty()) refuse(module, fmt::format("expected {}", known));
  return {name, y};
}

void Exporter::describe(onnx::ValueInfoProto& info, const char* name, const Tensor& probe) const {
  const Shape& shape = probe.shape();
  info.set_name(name);
  onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(element_type(probe.dtype()));
  for (int axis = 0; axis < shape.rank(); ++axis) {
    auto& size = *type.mutable_shape()->add_dim();
    if (axis == 0)
      size.set_dim_param("batch");
    else
      size.set_dim_value(shape[axis]);
  }
}

onnx::ModelProto Exporter::run(const Shape& input_shape) {
  Shape shape{2};  // a batch of two, so that no axis of one is taken for it
  for (const Index size : input_shape) shape.push_back(size);
  Rng rng(0);
  const Value input{"input", takes_ids(net_) ? zeros(shape, i64) : randn(shape, rng, dtype_)},
      output = add(net_, input);
  if (output.name == input.name) node(net_, "Identity", {input.name});
  last_->set_output(0, "output");  // the last node gives it, and nobody else reads it
  describe(*graph_.add_input(), "input", input.probe);
  describe(*graph_.add_output(), "output", output.probe);
  return std::move(model_);
}

}  // namespace

void save_onnx(const std::string& path, const nn::Sequential& net, const Shape& input_shape) {
  if (input_shape.rank() == 0 || input_shape.rank() == Shape::max_rank ||
      std::any_of(input_shape.begin(), input_shape.end(), [](Index size) { return size < 1; }))
    fail<ValueError>("[onnx] expected an input shape of 1 to {} sizes above 0, without the batch, got {}",
                     Shape::max_rank - 1, input_shape);
  const Pause pause;  // whatever the caller is recording: dropout and noise pass everything
  onnx::ModelProto model = Exporter(net).run(input_shape);
  try {
    onnx::checker::check_model(model);
    const onnx::ShapeInferenceOptions types_and_shapes(true, 1);
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), types_and_shapes);
  } catch (const std::exception& error) {
    fail<Error>("[onnx] the reference checker refuses the graph: {}", error.what());
  }
  std::string bytes;
  if (model.ByteSizeLong() > std::numeric_limits<std::int32_t>::max() || !model.SerializeToString(&bytes))
    fail<ValueError>("[onnx] expected a network of less than 2 GiB, got {} bytes", model.ByteSizeLong());
  write_file_atomically(path, bytes);
}

}  // namespace elk
