// What experiments show their results with: plots, results.json and report.html.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/plot.hpp>
#include <lab/report.hpp>
#include <lab/results.hpp>
#include <lab/statistics.hpp>
#include <lab/text.hpp>

#include "experiments/program.hpp"
#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAre;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// All that `pattern`'s first group matches.
std::vector<std::string> all(const std::string& text, const std::string& pattern) {
  const std::regex wanted(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), wanted), end; at != end; ++at)
    found.push_back((*at)[1]);
  return found;
}

// What is wrong with the elements of XML, or of HTML that closes all of them: "" if nothing.
std::string malformed(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag is not closed";
    const std::string tag = text.substr(at + 1, end - at - 1);
    at = end;
    if (tag.find('<') != std::string::npos) return "< in <" + tag + ">";
    if (tag.front() == '?' || tag.front() == '!' || tag.back() == '/') continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (name.front() != '/')
      open.push_back(name);
    else if (open.empty() || "/" + open.back() != name)
      return "<" + name + "> closes <" + (open.empty() ? "" : open.back()) + ">";
    else
      open.pop_back();
  }
  if (std::regex_search(text, std::regex("&(?!amp;|lt;|gt;|quot;|#)"))) return "a lone &";
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

bool has_gnuplot() { return std::system("gnuplot --version >/dev/null 2>&1") == 0; }

class PlotFile : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  }
  // The SVG of a plot.
  std::string drawn(const Plot& plot) {
    EXPECT_EQ(draw(plot, folder_ / "plot"), "");
    const std::string svg = read_file(folder_ / "plot.svg");
    EXPECT_EQ(malformed(svg), "");
    EXPECT_TRUE(read_file(folder_ / "plot.png").starts_with("\x89PNG\r\n\x1a\n"));
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_.path())) ++files;
    EXPECT_EQ(files, 2u);  // and nothing else
    return svg;
  }
  // The texts in an SVG in their order, without empty ones; 10^9 stands for a raised 9.
  static std::vector<std::string> texts(std::string svg) {
    svg = std::regex_replace(svg, std::regex("<tspan[^>]*dy=\"-[^>]*>"), "^");
    svg = std::regex_replace(svg, std::regex("</?tspan[^>]*>"), "");
    return all(svg, "<text>\\s*([^<]+)</text>");
  }
  // The strokes of a colour, without those that the frame is made of.
  static std::vector<std::string> strokes(const std::string& svg, const std::string& rgb) {
    return all(svg, "<path stroke='rgb\\(" + rgb + "\\)'([^/]*)/>");
  }

  static constexpr const char* blue = "  0, 114, 178";
  TemporaryFolder folder_;
};

TEST_F(PlotFile, HasALineABandAndMembersForASeries) {
  Series series{"a & b's \"<c>\" `date` _{x}", {1, 2, 3}, {1, 2, 1.5}};
  series.low = {0.5, 1.5, 1};
  series.high = {1.5, 2.5, 2};
  series.members = {{0.9, 2.1, 1.4}, {1.1, 1.9}};
  Plot plot{"title ^2", "epoch", "loss (nats)", {series}};
  plot.note = "mean of 2 seeds";
  const std::string svg = drawn(plot);
  EXPECT_EQ(count(svg, "<polygon"), 1u);
  EXPECT_EQ(count(svg, "<use xlink:href='#gpPt6'"), 3u + 1);  // the points, and the legend
  const auto lines = strokes(svg, blue);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr("opacity="));
  EXPECT_EQ(count(lines[0], "M"), 2u);  // members are not joined
  EXPECT_EQ(count(lines[0], "L"), 3u);
  EXPECT_THAT(lines[1], Not(HasSubstr("opacity=")));
  EXPECT_THAT(texts(svg), IsSupersetOf({"title ^2", "mean of 2 seeds", "epoch", "loss (nats)",
                                        "a &amp; b's \"&lt;c>\" `date` _{x}"}));
  EXPECT_THAT(all(svg, "<title>([^<]*)"), ElementsAre("title ^2", "a &amp; b's \"&lt;c>\" `date` _{x}"));
  EXPECT_TRUE(svg == drawn(plot)) << "the same plot is another file";
}

TEST_F(PlotFile, LeavesOutWhatItCannotShow) {
  Plot plot{"", "x", "y", {{"", {1, 2, 3, 4, 0, nan}, {1, nan, -1, 1e308, 5, 6}}}};
  const auto points = [&] { return count(drawn(plot), "<use xlink:href='#gpPt6' t"); };
  EXPECT_EQ(points(), 3u);
  plot.log_y = true;
  EXPECT_EQ(points(), 2u);
  plot.log_x = true;
  EXPECT_EQ(points(), 1u);
  plot.series.push_back({"nothing", {1, 2}, {nan, -1}});
  EXPECT_EQ(points(), 1u);
  plot.series[0].y = {-1, -2, -3, -4, nan, 0};
  EXPECT_EQ(draw(plot, folder_ / "none"), "there is nothing to draw: no finite value was measured");
  plot.right = {{"right", {1, 2}, {3, 4}}};
  EXPECT_THAT(texts(drawn(plot)),
              UnorderedElementsAre("1", "2", "3.0", "3.2", "3.4", "3.6", "3.8", "4.0", "x", "y", "right"));
  // A band that reaches below zero is drawn to the edge.
  plot.series = {{"", {1, 2}, {1, 2}, {-1, 0.5}, {3, 4}}};
  EXPECT_EQ(count(drawn(plot), "<polygon"), 1u);
}

TEST_F(PlotFile, TicsAreReadable) {
  const auto tics = [&](const Series& series, bool log = false) {
    Plot plot{"", "", "", {series}};
    plot.log_x = plot.log_y = log;
    return texts(drawn(plot));
  };
  EXPECT_THAT(
      tics({"", {1, 2, 3}, {0.982, 0.9835, 0.985}}),
      ElementsAre("0.9820", "0.9825", "0.9830", "0.9835", "0.9840", "0.9845", "0.9850", "1", "2", "3"));
  EXPECT_THAT(tics({"", {0, 50000}, {-2.5, 5}}),
              ElementsAre("-2", "-1", "0", "1", "2", "3", "4", "5", "0", "10,000", "20,000", "30,000",
                          "40,000", "50,000"));
  EXPECT_THAT(tics({"", {2, 2}, {1.5e9, 3e9}}),
              IsSupersetOf({"1.6·10^9", "2.0·10^9", "2.2·10^9", "3.0·10^9"}));
  EXPECT_THAT(tics({"", {32, 64, 2048}, {1e-3, 0.1, 1e3}}, true),
              ElementsAre("0.001", "0.01", "0.1", "1", "10", "100", "1000", "32", "64", "2048"));
  EXPECT_THAT(tics({"", {1e9, 1e11, 1e13}, {0.02, 0.1, 0.3}}, true),
              ElementsAre("0.02", "0.05", "0.1", "0.2", "10^9", "10^10", "10^11", "10^12", "10^13"));
  EXPECT_THAT(
      tics({"", {3e9, 6e9}, {0.012, 0.016}}, true),
      ElementsAre("0.012", "0.013", "0.014", "0.015", "0.016", "3·10^9", "4·10^9", "5·10^9", "6·10^9"));
  // One value, but for rounding.
  for (const double more : {0.0, 1e-16, 1e-12})
    EXPECT_THAT(tics({"", {32, 64}, {0.0125, 0.0125 + more}}, true), testing::Contains("0.015")) << more;
}

TEST_F(PlotFile, CategoriesStandInPlaceOfNumbers) {
  Plot plot{
      "",
      "",
      "accuracy",
      {{"ours", {0, 1}, {0.95, 0.96}, {0.94, 0.95}, {0.955, 0.965}}, {"reported", {0, 1}, {0.9626, 0.9538}}}};
  plot.x_names = {"sigmoid_{1}", "ReLU that has a name of so many words that it takes a second line"};
  const std::string svg = drawn(plot);
  EXPECT_THAT(texts(svg), IsSupersetOf({"sigmoid_{1}", "ReLU that has a name of so many words",
                                        "that it takes a second line", "ours", "reported"}));
  EXPECT_EQ(count(svg, "<polygon"), 0u);
  EXPECT_EQ(strokes(svg, blue).size(), 1u);  // error bars, and no line between categories
  EXPECT_EQ(strokes(svg, "213,  94,   0").size(), 0u);
}

TEST_F(PlotFile, LongNamesBreakAfterCommas) {
  Plot plot{"", "", "accuracy", {{"", {0, 1, 2, 3}, {0.5, 0.6, 0.7, 0.8}}}};
  plot.x_names = {"mlp 1000,500,250,250,250", "mlp 1000,500,250,250,250, no noise", "mlp 64", "x,y"};
  EXPECT_THAT(texts(drawn(plot)),
              IsSupersetOf({"mlp", "1000,500,250,250,", "250", "250, no noise", "mlp 64", "x,y"}));
}

TEST_F(PlotFile, MovingAverageIsCentredAndSaid) {
  Plot plot{"", "epoch", "loss", {{"", {1, 2, 3, 4}, {4, 2, 2, 8}}}};
  EXPECT_THAT(texts(drawn(plot)), Contains("loss"));
  plot.moving_average = 2;
  const std::string averaged = drawn(plot);
  EXPECT_THAT(texts(averaged), Contains("loss, moving average of 2"));
  plot.moving_average = 0;
  plot.series[0] = {"", {1.5, 2.5, 3.5}, {3, 2, 5}};
  plot.y_label = "loss, moving average of 2";
  EXPECT_TRUE(drawn(plot) == averaged);
}

TEST_F(PlotFile, TellsManySeriesApart) {
  Plot plot{"", "FLOPs", "loss", {}};
  std::vector<std::string> names{"hidden units"};
  const auto add = [&](const std::string& name, SeriesStyle style) {
    plot.series.push_back({name, {1, 2, 3}, {1.0 + static_cast<double>(plot.series.size()), 2, nan}});
    plot.series.back().style = style;
    names.push_back(name);
  };
  for (int i = 0; i < 20; ++i) add(std::to_string(32 + 100 * i), SeriesStyle::both);
  add("frontier", SeriesStyle::envelope);
  add("fit", SeriesStyle::reference);
  plot.legend_title = "hidden units";
  const std::string svg = drawn(plot);
  const auto colours = all(svg, "<path stroke='(rgb[^']*)' (?!class)");
  EXPECT_EQ(std::set<std::string>(colours.begin(), colours.end()).size(), 21u + 1);  // and the frame's
  // The frontier's points, one of them in the legend.
  EXPECT_EQ(all(svg, "(<use xlink:href='#gpPt6'[^>]*color='rgb\\(  0,   0,   0\\)')").size(), 2u + 1);
  EXPECT_EQ(strokes(svg, " 51,  51,  51").size(), 1u);
  EXPECT_THAT(texts(svg), IsSupersetOf(names));
}

TEST(Plots, RefuseListsOfDifferentLengths) {
  const auto problem = [](Series series) {
    return error_of<ValueError>([&] { draw({"", "", "", {series}}, "no/such/folder"); });
  };
  EXPECT_EQ(problem({"a", {1, 2}, {1}}), "[plot] series \"a\" has 2 values of x and 1 of y");
  EXPECT_EQ(problem({"a", {1, 2}, {1, 2}, {0}, {1}}),
            "[plot] series \"a\" has 2 values of x and 1 of its band");
  EXPECT_EQ(problem({"a", {1, 2}, {1, 2}, {}, {}, {{1, 2, 3}}}),
            "[plot] series \"a\" has 2 values of x and 3 of a member");
}

TEST(Plots, WithoutAFolder) {
  EXPECT_THAT(draw({"", "", "", {{"a", {1}, {1}}}}, "no/such/folder/a"), HasSubstr("no/such/folder"));
}

// --- results.json

// Something in every member.
Results example() {
  Results r;
  r.program = "width";
  r.title = "Width <of> the \"layer\" & more";
  r.question = "Does accuracy rise, then fall?";
  r.protocol = "paper";
  r.dataset = "mnist";
  r.status = "stopped";
  r.configuration = {{"seeds", "100, 101"}, {"epochs", "10"}};
  Point point{.series = "ReLU", .label = "width 64", .x = 64};
  point.measured["test_accuracy"] = {0.98451, 0.98402, 0.985, {0.98402, 0.985}};
  point.measured["val_loss"] = {0.1 + 0.2, nan, nan, {0.1 + 0.2}};
  point.reported = 0.9839;
  point.agrees = "yes";
  point.parameters = 50890;
  point.flops = 18446744073709551615u;
  point.seconds = 12.5;
  point.diverged = 1;
  point.failed = 2;
  point.config = "{\"hidden\": \"64\"}";
  r.points = {point, {.label = "ü\n\x01"}};
  r.tables = {{"Differences", {"width", "p"}, {{"600", "0.03"}, {"<b>", "&"}}, "paired by seed"}};
  r.pictures = {{"Accuracy by width", "width"}};
  r.verdicts = {"1 of 2 agree."};
  r.warnings = {"1 run diverged"};
  r.failures = {"killed"};
  r.numbers = {{"slope", -0.25}, {"unknown", nan}};
  r.cost = {12, 4321.5, 123456789012345};
  r.machine = "a processor";
  r.version = "0.1.0";
  r.commit = "abc1234";
  r.command = "./elk width --seeds '2'";
  r.date = "2025-11-22";
  r.checklist = {{"tuned", "nothing"}};
  return r;
}

TEST(ResultsFile, ComesBackAsItWas) {
  const std::string text = to_json(example());
  const Results back = parse_results(text, "r.json");
  EXPECT_EQ(to_json(back), text);
  EXPECT_EQ(back.points[0].flops, 18446744073709551615u);
  EXPECT_EQ(back.points[0].measured.at("val_loss").mean, 0.1 + 0.2);
  EXPECT_TRUE(std::isnan(back.points[0].measured.at("val_loss").low));
  EXPECT_EQ(back.points[0].reported, 0.9839);
  EXPECT_EQ(back.points[1].reported, std::nullopt);
  EXPECT_EQ(back.points[1].label, "ü\n\x01");
  EXPECT_EQ(back.configuration, example().configuration);
  EXPECT_TRUE(std::isnan(back.numbers.at("unknown")));
  EXPECT_EQ(to_json(parse_results(to_json(Results{}), "r.json")), to_json(Results{}));
  // Files of 0.1.0 have none of these.
  nlohmann::ordered_json old = nlohmann::ordered_json::parse(text);
  old.erase("checklist");
  for (auto& point : old["points"]) point.erase("images"), point.erase("examples"), point.erase("curves");
  const Results read = parse_results(old.dump(), "old.json");
  EXPECT_EQ(read.points[0].flops, back.points[0].flops);
  EXPECT_TRUE(read.checklist.empty());
  EXPECT_EQ(parse_results(to_json({.title = "no \xff UTF-8"}), "r.json").title, "no \uFFFD UTF-8");
}

TEST(ResultsFile, DamageIsNamed) {
  const std::string good = to_json(example());
  const auto problem = [&](const std::string& from, const std::string& to) {
    const std::size_t at = good.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    std::string bad = good;
    bad.replace(at, from.size(), to);
    const std::string message = error_of<FileError>([&] { parse_results(bad, "r.json"); });
    EXPECT_TRUE(message.starts_with("[results] r.json: ")) << message;
    return message.substr(std::min<std::size_t>(18, message.size()));
  };
  EXPECT_THAT(problem("{", ""), HasSubstr("is no JSON"));
  EXPECT_EQ(problem("elkgrad-results/1", "elkgrad-results/2"),
            "expected the format \"elkgrad-results/1\", found \"elkgrad-results/2\"");
  EXPECT_EQ(problem("\"format\"", "\"form\""), "expected the format \"elkgrad-results/1\", found none");
  EXPECT_EQ(problem("\"question\"", "\"answer\""), "lacks \"question\"");
  EXPECT_EQ(problem("\"program\"", "\"more\": 1, \"program\""), "\"more\" is unknown here");
  EXPECT_EQ(problem("\"x\":64.0", "\"x\":\"64\""), "points[0].x: expected a number or null, found string");
  EXPECT_EQ(problem("0.98451", "[]"),
            "points[0].measured.test_accuracy.mean: expected a number or null, found array");
  EXPECT_EQ(problem("50890", "1.5"), "points[0].parameters: expected a whole number, found 1.5");
  EXPECT_EQ(problem("50890", "-1"), "points[0].parameters: expected a whole number, found -1");
  EXPECT_EQ(problem("50890", "18446744073709551615"),
            "points[0].parameters: expected a whole number, found 18446744073709551615");
  EXPECT_EQ(problem("\"0.03\"", "\"0.03\", \"\""), "tables[0].rows[0]: expected 2 cells, found 3");
  EXPECT_EQ(problem("\"file\":\"width\"", "\"file\":\"../width\""),
            "pictures[0].file: expected the name of a file in this folder, found \"../width\"");
  EXPECT_EQ(problem("\"100, 101\"", "\"100\", \"101\""),
            "configuration[0]: expected a name and a value, found array");
  for (const char* text : {"", "[]", "null", "1", "{\"format\": {}}"})
    EXPECT_THAT(error_of<FileError>([&] { parse_results(text, "r.json"); }), HasSubstr("[results] r.json: "))
        << text;
  for (std::size_t size = 0; size + 2 < good.size(); size += 37)
    EXPECT_THROW(parse_results(good.substr(0, size), "r.json"), FileError) << size;
}

// --- report.html

class Report : public testing::Test {
 protected:
  Report() {
    write_file_atomically(
        folder_ / "width.svg",
        "<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 8 5\" xmlns=\"http://www.w3.org/2000/svg\"\n>"
        "<title>a</title><g id=\"canvas\"><path id='p'/><use xlink:href='#p' fill=\"url(#p)\"/>"
        "<text>id='p' > url(#p)</text></g></svg>\n");
  }
  // Nothing in it is loaded from elsewhere, or is used by two names.
  static void expect_self_contained(const std::string& html) {
    EXPECT_EQ(malformed(std::regex_replace(html, std::regex("<style>[^<]*</style>"), "")), "");
    for (const std::string& address : all(html, "(https?://[^\"' ]*)"))
      EXPECT_EQ(address, "http://www.w3.org/2000/svg");
    for (const char* other : {"<script", "<link", "@import", "src=", "<?xml"})
      EXPECT_EQ(count(html, other), 0u) << other;
    const auto ids = all(html, " id=[\"']([^\"']*)");
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
    for (const std::string& id : all(html, "href=[\"']#([^\"']*)")) EXPECT_THAT(ids, Contains(id));
  }

  TemporaryFolder folder_;
};

TEST_F(Report, OfOneProgram) {
  write_report(folder_.path(), example());
  EXPECT_EQ(read_file(folder_ / "results.json"), with_digest(to_json(example())));
  const std::string html = read_file(folder_ / "report.html");
  EXPECT_EQ(html, report_html({{example(), folder_.path()}}));
  expect_self_contained(html);
  for (const char* text : {"<title>Width &lt;of&gt; the &quot;layer&quot; &amp; more</title>",
                           "<h1>Width &lt;of&gt;",
                           "Does accuracy rise, then fall?",
                           "<p>1 of 2 agree.</p>",
                           "This experiment is not complete: stopped.",
                           "<p>killed</p>",
                           "<p>1 run diverged</p>",
                           ">ReLU</th>",
                           ">0.9839</td>",
                           ">0.9845<br/><span class=\"interval\">0.9840 – 0.9850</span></td>",
                           ">yes</td>",
                           ">50,890</td>",
                           ">1 diverged, 2 failed</td>",
                           ">&lt;b&gt;</th>",
                           "paired by seed",
                           "12 runs",
                           "1 h 12 min (4321.5 seconds of training)",
                           "123,456,789,012,345 (123 T)",
                           "a processor",
                           "0.1.0, commit abc1234",
                           "<code>./elk width --seeds '2'</code>",
                           "100, 101",
                           ">-0.25</td>",
                           "<svg role=\"img\" aria-label=\"Accuracy by width\" \n viewBox=\"0 0 8 5\"",
                           "<path id='picture-1-p'/>",
                           "<use xlink:href='#picture-1-p' fill=\"url(#picture-1-p)\"/>",
                           "<text>id='p' > url(#p)</text>",
                           "<figcaption>Accuracy by width</figcaption>"})
    EXPECT_NE(html.find(text), std::string::npos) << text;
  EXPECT_LT(html.find("1 of 2 agree."),
            html.find("<table>"));  // the verdict first, then the table, then plots
  EXPECT_LT(html.find(">50,890<"), html.find("<svg"));
  EXPECT_LT(html.find("<svg"), html.find("a processor"));
  EXPECT_EQ(count(html, "<table>"), count(html, "<caption>"));
  EXPECT_EQ(count(html, "<h1"), 1u);
}

TEST_F(Report, SaysWhichPictureIsMissing) {
  Results results = example();
  results.pictures.push_back({"Loss", "loss<1>"});
  write_file_atomically(folder_ / "damaged.svg", "no picture");
  results.pictures.push_back({"Other", "damaged"});
  const std::string html = report_html({{results, folder_.path()}});
  expect_self_contained(html);
  for (const char* name : {"loss&lt;1&gt;", "damaged"})
    EXPECT_NE(html.find(std::string("This picture is missing: there is no ") + name + ".svg. If gnuplot"),
              std::string::npos);
}

TEST_F(Report, OfSeveralProgramsBeginsWithAllVerdictsAndCosts) {
  Results other = example();
  other.program = "depth";
  other.title = "Depth";
  other.verdicts = {"Deeper is no better."};
  other.points.resize(100);
  const std::string html = report_html({{example(), folder_.path()}, {other, folder_.path()}}, "The study");
  expect_self_contained(html);
  const std::string first = html.substr(0, html.find("<section id="));
  for (const char* text :
       {"<h1>The study</h1>", "<a href=\"#section-2\">Depth</a>", "1 of 2 agree.", "Deeper is no better.",
        "1 failure, 1 warning", ">24</td>", ">2 h 24 min</td>", ">8643.0</td>", ">246,913,578,024,690</td>"})
    EXPECT_NE(first.find(text), std::string::npos) << text;
  EXPECT_NE(html.find("All numbers of all 100 points"), std::string::npos);
  EXPECT_EQ(count(html, "<h1"), 1u);
  EXPECT_EQ(count(html, "<h2"), 4u);
  expect_self_contained(report_html({}, "Nothing"));
  expect_self_contained(report_html({{{}, "no/such/folder"}}));
}

TEST(Texts, LargeNumbersAreGrouped) {
  EXPECT_EQ(grouped("1234"), "1234");
  EXPECT_EQ(grouped("-12345.25"), "-12,345.25");
  EXPECT_EQ(grouped("123456"), "123,456");
  EXPECT_EQ(grouped("18446744073709551615"), "18,446,744,073,709,551,615");
}

}  // namespace
}  // namespace elk::lab
