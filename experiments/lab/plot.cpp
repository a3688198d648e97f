#include <lab/plot.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/axis.hpp>
#include <lab/gnuplot.hpp>

namespace elk::lab {

namespace {

constexpr int width = 800, height = 500;  // points

void check(const Series& series) {
  const auto refuse = [&](const char* what, std::size_t size) {
    throw ValueError(fmt::format("[plot] series \"{}\" has {} values of x and {} of {}", series.title,
                                 series.x.size(), size, what));
  };
  const std::size_t size = series.x.size();
  if (series.y.size() != size) refuse("y", series.y.size());
  if (series.low.size() != series.high.size() || (!series.low.empty() && series.low.size() != size))
    refuse("its band", std::max(series.low.size(), series.high.size()));
  for (const auto& member : series.members)
    if (member.size() > size) refuse("a member", member.size());
}

// Means of `window` consecutive values, as many as there are whole windows.
std::vector<double> averaged(const std::vector<double>& values, std::size_t window) {
  std::vector<double> means;
  for (std::size_t first = 0; first + window <= values.size(); ++first) {
    double sum = 0;
    for (std::size_t i = 0; i < window; ++i) sum += values[first + i];
    means.push_back(sum / static_cast<double>(window));
  }
  return means;
}

bool is_line(const Series& series) {
  return series.style == SeriesStyle::both || series.style == SeriesStyle::line;
}
bool is_guide(const Series& series) {
  return series.style == SeriesStyle::reference || series.style == SeriesStyle::envelope;
}

void smooth(Series& series, std::size_t window) {
  if (!is_line(series) || window < 2 || series.x.empty()) return;
  window = std::min(window, series.x.size());
  for (auto* values : {&series.x, &series.y, &series.low, &series.high}) *values = averaged(*values, window);
  for (auto& member : series.members) member = averaged(member, window);
}

// Okabe and Ito's palette without its yellow, which is faint on white, and its black, which is the
// envelope's; and viridis from its dark end on.
constexpr std::array<unsigned, 6> okabe_ito = {0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9};
constexpr std::array<unsigned, 9> viridis = {0x440154, 0x472D7B, 0x3B528B, 0x2C728E, 0x21918C,
                                             0x28AE80, 0x5EC962, 0xADDC30, 0xD8D71E};
constexpr std::array<const char*, 5> dashes = {"solid", "(9,4)", "(2,3)", "(9,3,2,3)", "(16,4)"};
constexpr std::array<int, 8> points = {7, 9, 5, 13, 11, 6, 8, 4};  // filled ones, then outlines

unsigned colour(std::size_t number, std::size_t of) {
  if (of <= okabe_ito.size()) return okabe_ito[number];
  const double place =
      static_cast<double>(number) / static_cast<double>(of - 1) * static_cast<double>(viridis.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(place), viridis.size() - 2);
  const double share = place - static_cast<double>(below);
  unsigned mixed = 0;
  for (const int shift : {16, 8, 0}) {
    const double a = viridis[below] >> shift & 255, b = viridis[below + 1] >> shift & 255;
    mixed |= static_cast<unsigned>(std::lround(a + share * (b - a))) << shift;
  }
  return mixed;
}

// A faint one has an opacity of 0 to 255.
std::string ink(unsigned rgb, unsigned opacity = 255) {
  return opacity == 255 ? fmt::format("lc rgb '#{:06X}'", rgb)
                        : fmt::format("lc rgb '#{:02X}{:06X}'", 255 - opacity, rgb);
}

class Script {
 public:
  explicit Script(const Plot& plot) : plot_(plot), x_{.log = plot.log_x}, left_{.log = plot.log_y} {
    if (!plot_.x_names.empty())
      for (auto* list : {&plot_.series, &plot_.right})
        for (Series& series : *list)
          if (is_line(series)) series.style = SeriesStyle::points;
    for (auto* list : {&plot_.series, &plot_.right})
      for (Series& series : *list) {
        check(series);
        smooth(series, static_cast<std::size_t>(std::max(0, plot_.moving_average)));
        measure(series, list == &plot_.series ? left_ : right_);
        coloured_ += !is_guide(series);
      }
  }

  bool empty() const { return left_.empty() && right_.empty(); }

  std::string text() {
    settle();
    for (const Series& series : plot_.series) add(series, left_, "x1y1");
    for (const Series& series : plot_.right) add(series, right_, "x1y2");
    std::string lines;
    for (const auto* layer : {&bands_, &members_, &lines_, &guides_})
      for (const std::string& line : *layer) lines += (lines.empty() ? "plot " : ", \\\n     ") + line;
    return data_ + frame() + lines;
  }

 private:
  void measure(const Series& series, Axis& y) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      const auto include = [&](const std::vector<double>& values) {
        if (i >= values.size() || !x_.shows(series.x[i]) || !y.shows(values[i])) return;
        x_.include(series.x[i]);
        y.include(values[i]);
        x_values_.insert(series.x[i]);
      };
      include(series.y);
      include(series.low);
      include(series.high);
      for (const auto& member : series.members) include(member);
    }
  }

  void settle() {
    const bool whole =
        std::all_of(x_values_.begin(), x_values_.end(), [](double x) { return x == std::round(x); });
    if (!plot_.x_names.empty()) {
      x_ = {.low = -0.5, .high = static_cast<double>(plot_.x_names.size()) - 0.5};
      for (std::size_t i = 0; i < plot_.x_names.size(); ++i)
        x_.tics.push_back({static_cast<double>(i), plot_.x_names[i]});
    } else if (x_.log) {
      settle_log(x_, x_values_);
    } else {
      settle_linear(x_, false, whole);
    }
    if (!left_.empty()) left_.log ? settle_log(left_, {}) : settle_linear(left_, true, false);
    if (!right_.empty()) settle_linear(right_, true, false);
  }

  // --- Series

  void add(const Series& series, const Axis& y, const char* axes) {
    const bool guide = is_guide(series);
    const std::size_t number = !guide                                   ? number_++
                               : series.style == SeriesStyle::reference ? references_++
                                                                        : 0;
    const unsigned rgb = guide ? 0x333333 : colour(number, coloured_);
    const std::string symbol = fmt::format("pt {}", points[number % points.size()]);
    // Side by side where categories would put series on top of each other.
    const double apart = std::min(0.15, 0.7 / static_cast<double>(coloured_));
    const double shift = plot_.x_names.empty() || guide
                             ? 0
                             : (static_cast<double>(number) - static_cast<double>(coloured_ - 1) / 2) * apart;
    const auto shown = [&](std::size_t i) { return x_.shows(series.x[i]) && y.shows(series.y[i]); };
    std::size_t count = 0;
    for (std::size_t i = 0; i < series.x.size(); ++i) count += shown(i);
    const bool bars = series.style == SeriesStyle::points || count == 1;  // a band of one point has no width

    const auto bound = [&](const std::vector<double>& values, std::size_t i) {
      if (values.empty() || std::isnan(values[i])) return series.y[i];
      return std::clamp(values[i], y.low, y.high);
    };
    const std::string name = next_block();
    for (std::size_t i = 0; i < series.x.size(); ++i)
      if (shown(i))
        data_ += fmt::format("{} {} {} {}\n", series.x[i] + shift, series.y[i], bound(series.low, i),
                             bound(series.high, i));
    data_ += "END\n";
    const auto draw = [&](std::vector<std::string>& layer, const char* columns, const std::string& how,
                          const std::string& what) {
      layer.push_back(fmt::format("{} using {} axes {} with {} {}", what, columns, axes, how,
                                  &layer == &lines_ || &layer == &guides_
                                      ? fmt::format("title {}", gnuplot_string(series.title))
                                      : "notitle"));
    };

    if (!series.low.empty() && bars)
      draw(bands_, "1:3:(0):($4-$3)",  // yerrorbars would erase what is around their points
           fmt::format("vectors heads nofilled size screen 0.005,90 lw 1.5 {}", ink(rgb)), name);
    else if (!series.low.empty())
      draw(bands_, "1:3:4",
           fmt::format("filledcurves fs transparent solid {} noborder {}",
                       coloured_ > okabe_ito.size() ? 0.1 : 0.18, ink(rgb)),
           name);
    if (!series.members.empty()) {
      const std::string members = next_block();
      // Where the bar would hide them they stand beside it.
      const double beside =
          plot_.x_names.empty()
              ? 0
              : shift + std::min(0.015 * static_cast<double>(plot_.x_names.size()), 0.45 * apart);
      for (const auto& member : series.members) {
        for (std::size_t i = 0; i < member.size(); ++i)
          if (x_.shows(series.x[i]) && y.shows(member[i]))
            data_ += fmt::format("{} {}\n", series.x[i] + beside, member[i]);
        data_ += "\n";  // the next line starts anew
      }
      data_ += "END\n";
      draw(members_, "1:2",
           bars ? fmt::format("points pt 6 ps 0.4 {}", ink(rgb, 130))
                : fmt::format("lines lw 0.8 {}", ink(rgb, coloured_ > okabe_ito.size() ? 50 : 80)),
           members);
    }

    const std::string dash = coloured_ > okabe_ito.size() ? "solid" : dashes[number % dashes.size()];
    // Points tell lines apart; on long lines only some are drawn, and not all at the same x.
    const std::size_t every = std::max<std::size_t>(1, count / 12);
    if (series.style == SeriesStyle::envelope)
      draw(guides_, "1:2", "points pt 7 ps 0.45 lc rgb '#000000'", name);
    else if (guide)
      draw(guides_, "1:2",
           fmt::format("lines lw 1.5 dt {} {}", dashes[1 + number % (dashes.size() - 1)], ink(rgb)), name);
    else if (bars)
      draw(lines_, "1:2", fmt::format("points lw 1.5 {} ps 0.8 {}", symbol, ink(rgb)), name);
    else if (series.style == SeriesStyle::line)
      draw(lines_, "1:2", fmt::format("lines lw 2 dt {} {}", dash, ink(rgb)), name);
    else
      draw(lines_, "1:2",
           fmt::format("linespoints lw 2 dt {} {} ps 0.6 pi {} {}", dash, symbol, every, ink(rgb)), name);
  }

  std::string next_block() {
    const std::string name = fmt::format("$data{}", ++blocks_);
    data_ += name + " << END\n";
    return name;
  }

  // --- All around them

  static std::string tics(const char* name, const Axis& axis, const std::string& options) {
    std::string list;
    for (const Tic& tic : axis.tics)
      list += fmt::format("{}{} {} {}", list.empty() ? "" : ", ", gnuplot_string(tic.label), tic.at,
                          tic.label.empty() ? 1 : 0);
    return fmt::format("set {0}range [{1}:{2}]\nset {0}tics {3} nomirror ({4})\n", name, axis.low, axis.high,
                       options, list);
  }

  struct Legend {
    std::size_t entries = 0, longest = 0;  // letters
    std::size_t rows = 0;                  // above the plot; 0: in a column at its right
  };

  Legend legend() const {
    Legend legend{.longest = plot_.legend_title.size()};
    for (const auto* list : {&plot_.series, &plot_.right})
      for (const Series& series : *list)
        if (!series.title.empty()) {
          ++legend.entries;
          legend.longest = std::max(legend.longest, series.title.size());
        }
    const auto fit =
        static_cast<std::size_t>((width - 90 - (right_.empty() ? 20 : 95)) / (size_of(legend.longest) + 65));
    if (plot_.legend_title.empty() && legend.entries <= 2 * fit) legend.rows = legend.entries <= fit ? 1 : 2;
    return legend;
  }

  static constexpr double letter = 8;  // points across, where the font has 13
  static double size_of(std::size_t letters) { return letter * static_cast<double>(letters); }
  // The font size at which so many letters fit into `room`.
  static int size_for(std::size_t letters, int size, double room) {
    while (size > 7 && size_of(letters) * size / 13 > room) --size;
    return size;
  }

  // Lines of at most `most` letters where words, and commas in longer ones, allow it.
  static std::string wrapped(const std::string& text, std::size_t most) {
    std::string lines;
    std::size_t line = 0;  // its beginning
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = std::min(text.find(' ', at + 1), text.size());
      if (lines.size() > line && lines.size() - line + end - at > most) {
        lines += '\n';
        line = lines.size();
        if (text[at] == ' ') ++at;
      }
      if (end - at > most)
        if (const std::size_t comma = text.rfind(',', at + most - 1); comma > at && comma < end)
          end = comma + 1;
      lines += text.substr(at, end - at);
      at = end;
    }
    return lines;
  }
  static std::size_t longest_line(const std::string& text) {
    std::size_t longest = 0, begin = 0;
    for (std::size_t end = 0; begin <= text.size(); begin = end + 1) {
      end = std::min(text.find('\n', begin), text.size());
      longest = std::max(longest, end - begin);
    }
    return longest;
  }
  static int line_breaks(const std::string& text) {
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  static std::string label(const char* name, const std::string& text, double room) {
    return fmt::format("set {} {} noenhanced font ',{}'\n", name, gnuplot_string(text),
                       size_for(text.size(), 13, room));
  }
  static std::string text_at(const std::string& place, const std::string& text, int size, const char* rgb) {
    if (text.empty()) return "";
    return fmt::format("set label {} at {} noenhanced font ',{}' textcolor rgb '{}'\n", gnuplot_string(text),
                       place, size_for(longest_line(text), size, width - 90), rgb);
  }

  std::string frame() {
    std::string y_label = plot_.y_label;
    if (plot_.moving_average > 1) y_label += fmt::format(", moving average of {}", plot_.moving_average);
    const Legend key = legend();
    const std::string title = wrapped(plot_.title, 70);

    // Points around the plot proper. gnuplot's own estimate of what labels and legends take is too small.
    const int key_above = key.entries > 0 ? static_cast<int>(6 + 20 * key.rows) : 0,
              above = 18 + (title.empty() ? 0 : 26 + 18 * line_breaks(title)) + key_above,
              beside_axis = right_.empty() ? 20 : 95,
              beside = beside_axis +
                       (key.entries > 0 && key.rows == 0 ? 60 + static_cast<int>(size_of(key.longest)) : 0);
    int below = 42 + (plot_.x_label.empty() ? 0 : 30) + (plot_.note.empty() ? 0 : 24);
    std::string tic_options = "enhanced";
    if (!plot_.x_names.empty()) {
      const double room = (width - 70 - beside) / static_cast<double>(plot_.x_names.size());
      std::size_t longest = 0;
      int breaks = 0;
      for (Tic& tic : x_.tics) {
        // Digits, of which many names consist, are wider than most letters.
        tic.label = wrapped(tic.label, static_cast<std::size_t>(0.85 * room / letter));
        longest = std::max(longest, longest_line(tic.label));
        breaks = std::max(breaks, line_breaks(tic.label));
      }
      below += 17 * breaks;
      tic_options = fmt::format("noenhanced font ',{}'", size_for(longest + 1, 13, room));
    }

    const auto across = [](int size) { return static_cast<double>(size) / width; };
    const auto up = [](int size) { return static_cast<double>(size) / height; };
    std::string text =
        fmt::format("set tmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\n",
                    1 - up(above), 1 - across(beside), up(below)) +
        text_at(fmt::format("graph 0, screen {} left", 1 - up(22)), title, 15, "#000000") +
        text_at(fmt::format("screen {}, screen {} right", 1 - across(12), up(14)), plot_.note, 11,
                "#555555") +
        label("xlabel", plot_.x_label, width - 100) + label("ylabel", y_label, height - 60) +
        "set border 3 lw 1 lc rgb '#666666'\nset tics out scale 0.8,0.4 textcolor rgb '#333333'\n";
    text += fmt::format("set grid {} ytics back lt -1 lw 0.8 lc rgb '#e4e4e4'\n",
                        plot_.x_names.empty() ? "xtics" : "noxtics");
    if (key.entries == 0) {
      text += "unset key\n";
    } else if (key.rows > 0) {
      text += fmt::format("set key at graph 0, screen {} left center horizontal maxrows {} ",
                          1 - up(above - 10 - key_above / 2), key.rows);
    } else {
      const int line = (height - above - below) / static_cast<int>(key.entries + 2);
      text += fmt::format(
          "set key at screen {0}, graph 1 left top vertical maxcols 1 font ',{1}' title {2} left noenhanced "
          "font ',{1}' ",
          1 - across(beside - beside_axis + 6), std::clamp(line * 2 / 3, 6, 13),
          gnuplot_string(plot_.legend_title));
    }
    if (key.entries > 0)
      text += fmt::format("Left reverse samplen 2.5 width -{} noenhanced\n",
                          std::min<std::size_t>(3, key.longest / 6));
    if (x_.log) text += "set logscale x\n";
    if (left_.log) text += "set logscale y\n";
    text += tics("x", x_, tic_options);
    text += left_.empty() ? "unset ytics\nset yrange [1:2]\n" : tics("y", left_, "enhanced");
    if (!right_.empty())
      text += label("y2label", plot_.right_label, height - 60) + tics("y2", right_, "enhanced") +
              "set border 11\n";
    return text;
  }

  Plot plot_;
  Axis x_, left_, right_;
  std::set<double> x_values_;
  std::size_t coloured_ = 0, number_ = 0, references_ = 0, blocks_ = 0;
  std::string data_;
  std::vector<std::string> bands_, members_, lines_, guides_;  // of which the latter lie above the former
};

}  // namespace

std::string draw(const Plot& plot, const std::string& path) {
  Script script(plot);
  if (script.empty()) return "there is nothing to draw: no finite value was measured";
  return run_gnuplot(script.text(), width, height, plot.title, {path + ".svg", path + ".png"});
}

}  // namespace elk::lab
