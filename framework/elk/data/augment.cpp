#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <optional>
#include <variant>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>
#include <elk/data/augment.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

struct Option {
  std::string_view name;
  std::variant<double AugmentOptions::*, Index AugmentOptions::*> member;
  double low, high;

  bool whole() const { return member.index() == 1; }
  double of(const AugmentOptions& options) const {
    return std::visit([&](auto which) { return static_cast<double>(options.*which); }, member);
  }
  void set(AugmentOptions& options, double value) const {
    check(value);
    std::visit(
        [&](auto which) { options.*which = static_cast<std::decay_t<decltype(options.*which)>>(value); },
        member);
  }
  void check(double value) const {
    // Not (value < low || value > high), which would let a NaN pass.
    if (!(value >= low && value <= high) || (whole() && value != std::trunc(value)))
      fail<ValueError>("[augment] {} must be {}from {} to {}, got {}", name, whole() ? "a whole number " : "",
                       low, high, value);
  }
};

const std::array<Option, 11> all_options{{
    {"shift", &AugmentOptions::shift, 0, 1000},
    {"rotate", &AugmentOptions::rotate, 0, 180},
    {"scale", &AugmentOptions::scale, 0, 0.9},
    {"shear", &AugmentOptions::shear, 0, 80},
    {"elastic", &AugmentOptions::elastic, 0, 1000},
    {"elastic_sigma", &AugmentOptions::elastic_sigma, 0.1, 100},
    {"flip", &AugmentOptions::flip, 0, 1},
    {"crop", &AugmentOptions::crop, 0, 1000},
    {"cutout", &AugmentOptions::cutout, 0, 1000},
    {"noise", &AugmentOptions::noise, 0, 10},
    {"mixup", &AugmentOptions::mixup, 0, 100},
}};

// Where in an image each pixel of its warped copy comes from: both positions are counted from the centre.
struct Origin {
  double xx, xy, yx, yy;    // the inverse of mirror, scale, shear and rotation
  double shift_x, shift_y;  // taken back before them
};

Origin origin_of(const Warp& change) {
  constexpr double radian = std::numbers::pi / 180;
  // The y axis points down: counterclockwise on the screen is clockwise here, and the top has y < 0.
  const double c = std::cos(change.rotate * radian), s = std::sin(change.rotate * radian);
  const double slant = std::tan(change.shear * radian), across = change.flip ? -1 : 1;
  // There: flip, scale, x -= slant y, rotation. Back: the inverse of each, in the reverse order.
  return {across * (c + slant * s) / change.scale,
          across * (slant * c - s) / change.scale,
          s / change.scale,
          c / change.scale,
          change.shift_x,
          change.shift_y};
}

std::size_t to_size(Index n) { return static_cast<std::size_t>(n); }

// Lines of images are computed in whole vectors: what is beyond their ends is written, and not used.
Index whole_vectors(Index width) { return (width + 31) / 32 * 32; }

// One image in a frame of zeros, so that no interpolation reaches outside.
template <class T>
class Framed {
 public:
  Framed(Index channels, Index height, Index width)
      : channels_(channels),
        height_(height),
        width_(width),
        pixels_(to_size(channels * plane())),
        column_x_(to_size(whole_vectors(width))),
        column_y_(column_x_.size()),
        left_(column_x_.size()),
        top_(left_.size()),
        right_by_(left_.size()),
        down_by_(left_.size()),
        above_(2 * left_.size()),
        below_(2 * left_.size()) {}

  void copy(const T* image) {
    for (Index channel = 0; channel < channels_; ++channel)
      for (Index row = 0; row < height_; ++row, image += width_)
        std::copy_n(image, width_, &pixels_[to_size(channel * plane() + (row + 1) * stride() + 1)]);
  }

  // Writes the image as seen through `origin`, whose positions a field moves further: by dx and dy, or not
  // at all if null.
  void resample(const Origin& origin, const float* dx, const float* dy, T* out) {
    const auto& loops = kernels::loops<T>();
    const auto height = static_cast<double>(height_), width = static_cast<double>(width_);
    kernels::WarpedLine line{.column_x = column_x_.data(),
                             .column_y = column_y_.data(),
                             .x = 0,
                             .y = 0,
                             .middle_x = (width - 1) / 2,
                             .middle_y = (height - 1) / 2,
                             .width = width,
                             .height = height,
                             .dx = dx,
                             .dy = dy};
    // Pointers of the loop's own: what it writes could otherwise be the vectors'.
    const Index columns = width_, whole = whole_vectors(columns), between = stride();
    for (Index column = 0; column < whole; ++column) {
      const double u = static_cast<double>(column) - line.middle_x - origin.shift_x;
      column_x_[to_size(column)] = origin.xx * u, column_y_[to_size(column)] = origin.yx * u;
    }
    const std::int32_t *const left = left_.data(), *const top = top_.data();
    T *const above = above_.data(), *const below = below_.data();
    for (Index row = 0; row < height_; ++row, out += columns) {
      const double v = static_cast<double>(row) - line.middle_y - origin.shift_y;
      line.x = origin.xy * v, line.y = origin.yy * v;
      loops.origins(whole, line, left_.data(), top_.data(), right_by_.data(), down_by_.data());
      if (dx) line.dx += whole, line.dy += whole;
      for (Index channel = 0; channel < channels_; ++channel) {
        const T* const pixels = pixels_.data() + channel * plane();
        for (Index i = 0; i < columns; ++i) {
          const T* const from = pixels + top[i] * between + left[i];
          std::memcpy(above + 2 * i, from, 2 * sizeof(T));
          std::memcpy(below + 2 * i, from + between, 2 * sizeof(T));
        }
        loops.interpolate(columns, right_by_.data(), down_by_.data(), above, below,
                          out + channel * height_ * columns);
      }
    }
  }

 private:
  // One zero before each line and two after it: the right neighbour of the position size + 1 is there too.
  Index stride() const { return width_ + 3; }
  Index plane() const { return (height_ + 3) * stride(); }

  Index channels_, height_, width_;
  std::vector<T> pixels_;
  std::vector<double> column_x_, column_y_;  // of the copy, as in kernels::WarpedLine
  // Of a line of the copy: where its pixels come from, and what is to the left and right of there, above and
  // below.
  std::vector<std::int32_t> left_, top_;
  std::vector<T> right_by_, down_by_, above_, below_;
};

// Draws fields of displacements along one axis: uniform noise, smoothed.
class ElasticField {
 public:
  ElasticField(double displacement, double sigma, Index height, Index width)
      : height_(height),
        width_(width),
        stride_(whole_vectors(width)),
        across_(gaussian(sigma, width)),
        down_(gaussian(sigma, height)),
        noise_(to_size(height * noise_stride())),
        lines_(zeros({height + taps(down_), stride_}, f32)) {
    // The variance of the noise is 1/3, and smoothing multiplies it by the sum of the squared weights.
    const double gain = displacement / std::sqrt(power(across_) * power(down_) / 3);
    for (float& weight : down_) weight = static_cast<float>(weight * gain);
  }

  // The field's lines are whole vectors apart.
  void draw(Rng& rng, std::vector<float>& field) {
    bits_.resize(to_size(width_ * height_));
    rng.bits(bits_);
    const auto smooth = kernels::loops<float>().smooth;
    // The noise goes on around the edges: its lines, and then the smoothed lines, with their ends before and
    // behind them.
    const Index reach_x = taps(across_) / 2, reach_y = taps(down_) / 2;
    float *const begin = detail::writable<float>(lines_), *const lines = begin + reach_y * stride_;
    for (Index row = 0; row < height_; ++row) {
      const std::uint32_t* const bits = &bits_[to_size(row * width_)];
      float* to = &noise_[to_size(row * noise_stride())];
      const auto noise = [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)  // bits / 2^31 - 1
          *to++ = static_cast<float>(static_cast<std::int32_t>(bits[i] ^ 0x80000000)) * 0x1p-31F;
      };
      noise(width_ - reach_x, width_);
      noise(0, width_);
      noise(0, reach_x);
    }
    smooth(height_, stride_, noise_.data(), noise_stride(), 1, across_.data(), taps(across_), lines, stride_);
    std::copy_n(lines + (height_ - reach_y) * stride_, reach_y * stride_, begin);
    std::copy_n(lines, reach_y * stride_, lines + height_ * stride_);
    field.resize(to_size(stride_ * height_));
    smooth(height_, stride_, begin, stride_, stride_, down_.data(), taps(down_), field.data(), stride_);
  }

 private:
  // Weights that add up to 1, over three sigma to each side but no more than once around the image.
  static std::vector<float> gaussian(double sigma, Index size) {
    const auto reach = std::min(static_cast<Index>(std::ceil(3 * sigma)), (size - 1) / 2);
    std::vector<double> weights;
    double sum = 0;
    for (Index k = -reach; k <= reach; ++k) {
      const double t = static_cast<double>(k) / sigma;
      sum += weights.emplace_back(std::exp(-t * t / 2));
    }
    std::vector<float> result;
    for (const double weight : weights) result.push_back(static_cast<float>(weight / sum));
    return result;
  }
  static double power(const std::vector<float>& weights) {
    double sum = 0;
    for (const float weight : weights) sum += static_cast<double>(weight) * static_cast<double>(weight);
    return sum;
  }
  static Index taps(const std::vector<float>& weights) { return static_cast<Index>(weights.size()); }
  Index noise_stride() const { return stride_ + taps(across_); }

  Index height_, width_;
  Index stride_;  // of lines: whole vectors
  std::vector<float> across_, down_;
  std::vector<float> noise_;
  Tensor lines_;  // a tensor's memory is aligned
  std::vector<std::uint32_t> bits_;
};

struct ImageSize {
  Index channels, height, width;
  Index pixels() const { return height * width; }
  Index values() const { return channels * pixels(); }
};

ImageSize image_size(const Shape& sample) {
  if ((sample.rank() != 2 && sample.rank() != 3) || sample.size() == 0)
    fail<ShapeError>("[augment] expected images (H, W) or (C, H, W) that are not empty, got {}", sample);
  return {sample.rank() == 3 ? sample[0] : 1, sample[-2], sample[-1]};
}

// What is drawn from a stream of its own. Keys of four: the built-in digits are drawn from keys of three
// (digits.cpp), and a change must not depend on the image that it is for when both have the same seed.
enum class Stream : std::uint32_t { change, mixup };

std::vector<Rng> streams(std::uint32_t seed, std::uint32_t epoch, std::span<const Index> rows,
                         Stream stream) {
  std::vector<std::uint32_t> keys;
  for (const Index row : rows)
    keys.insert(keys.end(),
                {seed, epoch, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(stream)});
  return Rng::keyed_each(keys, 4);
}

// Changes images of one size, one after the other, in place.
template <class T>
class Changer {
 public:
  Changer(const AugmentOptions& options, const ImageSize& size)
      : options_(options), size_(size), framed_(size.channels, size.height, size.width) {
    if (options.elastic > 0)
      elastic_.emplace(options.elastic, options.elastic_sigma, size.height, size.width);
  }

  // The first draws, one number each, are made whether their options are on or not: so an option more leaves
  // what the others do as it was.
  void operator()(Rng& rng, T* image) {
    Warp change;
    change.shift_x = rng.uniform(-options_.shift, options_.shift);
    change.shift_y = rng.uniform(-options_.shift, options_.shift);
    change.rotate = rng.uniform(-options_.rotate, options_.rotate);
    change.scale = rng.uniform(1 - options_.scale, 1 + options_.scale);
    change.shear = rng.uniform(-options_.shear, options_.shear);
    change.flip = rng.uniform() < options_.flip;
    // Zeros around and then a crop of the old size: a shift by whole pixels.
    const auto crop = static_cast<double>(options_.crop);
    change.shift_x += std::floor(rng.uniform(-crop, crop + 1));
    change.shift_y += std::floor(rng.uniform(-crop, crop + 1));
    const auto hole_x = static_cast<Index>(rng.uniform() * static_cast<double>(size_.width));
    const auto hole_y = static_cast<Index>(rng.uniform() * static_cast<double>(size_.height));

    if (elastic_) {
      elastic_->draw(rng, dx_);
      elastic_->draw(rng, dy_);
    }
    if (elastic_ || options_.shift > 0 || options_.rotate > 0 || options_.scale > 0 || options_.shear > 0 ||
        options_.crop > 0 || change.flip) {
      framed_.copy(image);
      framed_.resample(origin_of(change), elastic_ ? dx_.data() : nullptr, dy_.data(), image);
    }
    if (options_.noise > 0)
      for (Index i = 0; i < size_.values(); ++i)
        image[i] = std::clamp(image[i] + static_cast<T>(options_.noise * rng.normal()), T(0), T(1));
    if (options_.cutout > 0) cut_out(hole_x - options_.cutout / 2, hole_y - options_.cutout / 2, image);
  }

 private:
  void cut_out(Index x, Index y, T* image) const {
    const Index left = std::max<Index>(x, 0), right = std::min(x + options_.cutout, size_.width);
    const Index top = std::max<Index>(y, 0), bottom = std::min(y + options_.cutout, size_.height);
    for (Index channel = 0; channel < size_.channels; ++channel)
      for (Index row = top; row < bottom; ++row)
        std::fill_n(image + channel * size_.pixels() + row * size_.width + left, right - left, T(0));
  }

  const AugmentOptions& options_;
  ImageSize size_;
  Framed<T> framed_;
  std::optional<ElasticField> elastic_;
  std::vector<float> dx_, dy_;
};

// The images, and the one-hot targets of their labels, in shares `first` and 1 - `first`.
template <class T>
void mix(const Dataset& dataset, const std::vector<double>& first, Batch& batch, const Batch& others) {
  const auto classes = static_cast<Index>(dataset.classes.size()), width = batch.x.size(1);
  Tensor targets = zeros({batch.x.size(0), classes}, batch.x.dtype());
  T* x = detail::writable<T>(batch.x);
  T* target = detail::writable<T>(targets);
  const T* other = detail::readable<T>(others.x);
  const auto labels = batch.labels.data<std::int64_t>(), other_labels = others.labels.data<std::int64_t>();
  for (std::size_t k = 0; k < first.size(); ++k, x += width, other += width, target += classes) {
    const auto share = static_cast<T>(first[k]);
    for (Index i = 0; i < width; ++i) x[i] = share * x[i] + (1 - share) * other[i];
    for (const std::int64_t label : {labels[k], other_labels[k]})
      if (label < 0 || label >= classes)
        fail<IndexError>("[augment] mixup found the label {} in a dataset of {} classes", label, classes);
    target[labels[k]] += share;
    target[other_labels[k]] += 1 - share;
  }
  batch.labels = targets;
}

// Gamma(shape), shape above 1, as NumPy's legacy standard_gamma.
double draw_gamma(Rng& rng, double shape) {
  const double b = shape - 1.0 / 3, c = 1 / std::sqrt(9 * b);
  for (;;) {
    double x, v;
    do {
      x = rng.normal();
      v = 1 + c * x;
    } while (v <= 0);
    v = v * v * v;
    const double u = rng.uniform();
    if (u < 1 - 0.0331 * (x * x) * (x * x)) return b * v;
    if (std::log(u) < 0.5 * x * x + b * (1 - v + std::log(v))) return b * v;
  }
}

}  // namespace

double draw_beta(Rng& rng, double alpha) {
  if (!(alpha > 0 && std::isfinite(alpha)))
    fail<ValueError>("[draw_beta] alpha must be finite and above 0, got {}", alpha);
  if (alpha > 1) {
    const double a = draw_gamma(rng, alpha), b = draw_gamma(rng, alpha);
    return a / (a + b);
  }
  for (;;) {
    const double u = rng.uniform(), v = rng.uniform();
    const double x = std::pow(u, 1 / alpha), y = std::pow(v, 1 / alpha);
    if (!(x + y <= 1 && u + v > 0)) continue;
    if (x + y > 0) return x / (x + y);
    // Both underflow for a small alpha; their ratio in logarithms does not.
    return 1 / (1 + std::exp((std::log(v) - std::log(u)) / alpha));
  }
}

AugmentOptions parse_augment(std::string_view text) {
  AugmentOptions options;
  std::vector<std::string_view> seen;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    // A comma at the end promises one more part.
    if (part.size() + 1 == text.size()) fail<ValueError>("[augment] an option is missing after \"{}\"", text);
    text.remove_prefix(std::min(part.size() + 1, text.size()));

    const auto colon = part.find(':');
    const std::string_view name = part.substr(0, colon);
    const auto option = std::find_if(all_options.begin(), all_options.end(),
                                     [&](const Option& known) { return known.name == name; });
    if (option == all_options.end()) {
      std::vector<std::string_view> names;
      for (const Option& known : all_options) names.push_back(known.name);
      fail<ValueError>("[augment] no option \"{}\": there are {}", name, fmt::join(names, ", "));
    }
    if (std::find(seen.begin(), seen.end(), name) != seen.end())
      fail<ValueError>("[augment] {} is given twice", name);
    seen.push_back(name);

    double value = 0.5;
    if (part != "flip") {
      const char* const end = part.data() + part.size();
      const char* const begin = colon == part.npos ? end : part.data() + colon + 1;
      const auto [next, error] = std::from_chars(begin, end, value);
      if (error != std::errc() || next != end)
        fail<ValueError>("[augment] expected {}:value, a number, got \"{}\"", name, part);
    }
    option->set(options, value);
  }
  return options;
}

std::string to_string(const AugmentOptions& options) {
  std::string text;
  for (const Option& option : all_options)
    if (option.of(options) != option.of(AugmentOptions()))
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", option.name, option.of(options));
  return text;
}

Augment::Augment(const AugmentOptions& options, std::uint32_t seed) : options_(options), seed_(seed) {
  for (const Option& option : all_options) option.check(option.of(options));
}

void Augment::change(Tensor& x, const Shape& sample, std::span<const Index> rows, std::uint32_t epoch) const {
  const ImageSize size = image_size(sample);
  const auto count = static_cast<Index>(rows.size());
  // Sixteen streams begin at once. Fewer where that keeps more threads busy.
  const Index blocks = std::max((count + 15) / 16, std::min<Index>(threads(), (count + 7) / 8));
  const auto run = [&]<class T>(T* images) {
    parallel_for(blocks, [&](Index b) {
      Changer<T> changer(options_, size);
      const Index first = count * b / blocks, last = count * (b + 1) / blocks;
      const auto own = rows.subspan(to_size(first), to_size(last - first));
      T* image = images + first * size.values();
      for (Rng& rng : streams(seed_, epoch, own, Stream::change)) {
        changer(rng, image);
        image += size.values();
      }
    });
  };
  if (x.dtype() == f32)
    run(detail::writable<float>(x));
  else
    run(detail::writable<double>(x));
}

Batch Augment::operator()(const Dataset& dataset, std::span<const Index> rows, Index epoch,
                          DType dtype) const {
  constexpr Index most = std::numeric_limits<std::uint32_t>::max();
  if (epoch < 0 || epoch > most)
    fail<ValueError>("[augment] the epoch must be from 0 to {}, got {}", most, epoch);
  Batch batch = gather(dataset, rows, dtype);
  AugmentOptions changing = options_;
  changing.elastic_sigma = AugmentOptions().elastic_sigma;
  if (changing == AugmentOptions()) return batch;

  const auto number = static_cast<std::uint32_t>(epoch);
  const Shape sample = dataset.sample_shape();
  change(batch.x, sample, rows, number);
  if (options_.mixup == 0) return batch;

  // Drawn apart, so that both images of a pair are what they are without mixup.
  std::vector<Index> partners;
  std::vector<double> first;
  for (Rng& rng : streams(seed_, number, rows, Stream::mixup)) {
    partners.push_back(rng.integer(0, dataset.size()));
    first.push_back(draw_beta(rng, options_.mixup));
  }
  Batch others = gather(dataset, partners, dtype);
  change(others.x, sample, partners, number);
  if (dtype == f32)
    mix<float>(dataset, first, batch, others);
  else
    mix<double>(dataset, first, batch, others);
  return batch;
}

Tensor warp(const Tensor& images, const Warp& change) {
  if (!is_float(images.dtype()))
    fail<DTypeError>("[warp] expected f32 or f64, got {}: convert with cast", images.dtype());
  if (images.rank() < 2) fail<ShapeError>("[warp] expected images (..., H, W), got {}", images.shape());
  const auto limit = [](std::string_view name, double value, double low, double high) {
    if (!(value >= low && value <= high))
      fail<ValueError>("[warp] {} must be from {} to {}, got {}", name, low, high, value);
  };
  limit("scale", change.scale, 1e-3, 1e3);
  limit("shear", change.shear, -80, 80);
  limit("rotate", change.rotate, -360, 360);
  limit("shift_x", change.shift_x, -1e6, 1e6);
  limit("shift_y", change.shift_y, -1e6, 1e6);
  Tensor result = empty(images.shape(), images.dtype());
  if (images.size() == 0) return result;
  const Index height = images.size(-2), width = images.size(-1);
  const auto run = [&]<class T>(const T* from, T* to) {
    Framed<T> framed(images.size() / (height * width), height, width);
    framed.copy(from);
    framed.resample(origin_of(change), nullptr, nullptr, to);
  };
  if (images.dtype() == f32)
    run(detail::readable<float>(images), detail::writable<float>(result));
  else
    run(detail::readable<double>(images), detail::writable<double>(result));
  return result;
}

}  // namespace elk
