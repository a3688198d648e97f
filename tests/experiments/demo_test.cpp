// The program `demo`, over its sockets.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

#include <fmt/format.h>

#include <demo/doodles.hpp>
#include <demo/familiar.hpp>
#include <elk/data/center.hpp>
#include <elk/data/digits.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/evaluate.hpp>
#include <elk/train/metrics.hpp>
#include <lab/program.hpp>
#include <models/model_file.hpp>

#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A connection to the server.
class Socket {
 public:
  explicit Socket(int port) : id_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(id_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(id_);
      id_ = -1;
    }
  }
  Socket(Socket&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Socket() {
    if (id_ >= 0) ::close(id_);
  }
  bool open() const { return id_ >= 0; }
  int id() const { return id_; }

  // As much as the server takes; false when it has hung up.
  bool send(const std::string& bytes) const {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t count = ::send(id_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (count <= 0) return false;
      at += static_cast<std::size_t>(count);
    }
    return true;
  }
  // What comes until `enough` says so, the server hangs up, or nothing comes for half a minute.
  std::string receive(const std::function<bool(const std::string&)>& enough = {}) const {
    std::string all;
    char buffer[65536];
    while (!enough || !enough(all)) {
      pollfd item{id_, POLLIN, 0};
      if (::poll(&item, 1, 30000) <= 0) break;
      const ssize_t count = ::recv(id_, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }

 private:
  int id_;
};

struct Answer {
  int status = 0;  // 0: none
  std::string head, body;
  Json json() const { return Json::parse(body, nullptr, false); }
  std::string error() const { return json().is_object() ? json().value("error", "") : ""; }
};

Answer parse(const std::string& text) {
  Answer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(9, 3));
  answer.head = text.substr(0, end + 2);
  answer.body = text.substr(end + 4);
  return answer;
}

class Demo : public TrainProgram {
 protected:
  static void SetUpTestSuite() {
    models_ = new TemporaryFolder;
    make_model("r", {"--hidden", "32", "--epochs", "3"});
  }
  static void TearDownTestSuite() { delete models_; }
  static void make_model(const std::string& name, const Arguments& arguments) {
    const Outcome outcome =
        Child(arguments + Arguments{"--quiet", "--out-dir", name}, {.folder = models_->path()}).wait();
    ASSERT_EQ(outcome.code, 0);
  }
  static std::string model(const std::string& name = "r") { return *models_ / (name + "/model.safetensors"); }

  Surroundings demo_around() {
    Surroundings surroundings = around();
    surroundings.program = std::string(ELK_PROGRAMS) + "/demo";
    return surroundings;
  }
  Outcome run_demo(const Arguments& arguments) { return Child(arguments, demo_around()).wait(); }

  static void wait_for_address(const Child& child) {
    const auto until = Clock::now() + seconds(60);
    while (!child.out().ends_with('\n') && Clock::now() < until)
      std::this_thread::sleep_for(milliseconds(10));
  }
  using Environment = std::map<std::string, std::string>;
  // Starts it on a free port and waits until it answers.
  void start(const Arguments& arguments, const Environment& environment = {}) {
    child_.reset();  // the port of the one before is no matter
    Surroundings surroundings = demo_around();
    for (const auto& [name, value] : environment) surroundings.environment[name] = value;
    child_ = std::make_unique<Child>(arguments + Arguments{"--port", "0", "--json"}, surroundings);
    wait_for_address(*child_);
    const Json address = Json::parse(child_->out(), nullptr, false);
    ASSERT_TRUE(address.is_object()) << child_->err();
    port_ = address["port"];
    EXPECT_EQ(address["url"], fmt::format("http://127.0.0.1:{}/", port_));
  }

  std::string request(const std::string& method, const std::string& path, const std::string& body = {},
                      const std::string& headers = {}) const {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{}", method,
                                   path, port_, headers);
    if (method == "POST") text += fmt::format("Content-Length: {}\r\n", body.size());
    return text + "\r\n" + body;
  }
  Answer send(const std::string& bytes) const {
    const Socket socket(port_);
    socket.send(bytes);
    return parse(socket.receive());
  }
  Answer get(const std::string& path) const { return send(request("GET", path)); }
  Answer post(const std::string& path, const Json& body) const {
    return send(request("POST", path, body.dump()));
  }
  // The events of a run of training, up to its end or the first for which `enough` is true.
  std::vector<std::pair<std::string, Json>> events(
      const std::string& bytes, const std::function<bool(const std::string&)>& enough = {}) const {
    const Socket socket(port_);
    socket.send(bytes);
    std::istringstream lines(socket.receive(enough));
    std::vector<std::pair<std::string, Json>> found;
    std::string name;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("event: ")) name = line.substr(7);
      if (line.starts_with("data: ")) found.emplace_back(name, Json::parse(line.substr(6), nullptr, false));
    }
    return found;
  }

  std::unique_ptr<Child> child_;
  int port_ = 0;
  static TemporaryFolder* models_;
};

TemporaryFolder* Demo::models_ = nullptr;

Dataset test_set() { return digits_train_test(1, 0).test; }

std::vector<double> pixels(Index i) {
  static const Dataset set = test_set();
  const Dataset image = set.take(i, 1);
  std::vector<double> result;
  for (const auto pixel : image.images.data<std::uint8_t>()) result.push_back(pixel / 255.0);
  return result;
}

// A seven, as somebody draws it on a canvas of that side: ink 0 to 255.
std::vector<int> seven(Index side) {
  std::vector<int> ink(static_cast<std::size_t>(side * side));
  const auto draw = [&](double x, double y) {
    for (Index v = 0; v < side; ++v)
      for (Index u = 0; u < side; ++u) {
        const double scale = static_cast<double>(side);
        if (std::hypot(static_cast<double>(u) / scale - x, static_cast<double>(v) / scale - y) < 0.035)
          ink[static_cast<std::size_t>(v * side + u)] = 255;
      }
  };
  for (double t = 0; t <= 1; t += 0.02) draw(0.3 + 0.35 * t, 0.2), draw(0.65 - 0.25 * t, 0.2 + 0.55 * t);
  return ink;
}

TEST_F(Demo, PredictsAsTheModelDoes) {
  start({"--model", model()});
  const models::Model loaded = models::load_model(model());
  for (Index i = 0; i < 50; ++i) {
    const std::string body = Json{{"pixels", pixels(i)}}.dump();
    const Answer answer = send(request("POST", "/api/predict", body));
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json json = answer.json();
    const Tensor expected = softmax(loaded.net(cast(from(pixels(i), {1, 784}), f32)));
    ASSERT_EQ(json["probabilities"].size(), 10u);
    double sum = 0;
    for (std::size_t k = 0; k < 10; ++k) {
      EXPECT_NEAR(json["probabilities"][k].get<double>(), expected.at(static_cast<Index>(k)), 1e-6);
      sum += json["probabilities"][k].get<double>();
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_EQ(json["probabilities"][json["class"].get<std::size_t>()],
              *std::max_element(json["probabilities"].begin(), json["probabilities"].end()));
    EXPECT_EQ(json["sure"], json["familiar"]["distance"] <= json["familiar"]["limit"] &&
                                json["probabilities"][json["class"].get<std::size_t>()].get<double>() >= 0.5);
    EXPECT_EQ(json.size(), 4u);
  }

  const Json info = get("/api/model").json();
  EXPECT_EQ(info["ready"], true);
  EXPECT_EQ(info["training"], false);
  EXPECT_EQ(info["sizes"], Json({784, 32, 10}));
  EXPECT_EQ(info["origin"], model());
  EXPECT_EQ(get("/api/train").status, 404);
}

TEST_F(Demo, IsNotSureOfWhatLooksLikeNoDigit) {
  const demo::Familiar known(digits(lab::digits_seed, 0, demo::Familiar::count));
  const auto distance = [&](const Tensor& image) {
    return known.distance(reshape(cast(image, f64) / 255, {1, 784}));
  };
  // Of drawings that the limit has not seen, about one in twenty is nearer; of digits, nearly all are.
  int near = 0, right = 0;
  for (std::uint64_t i = 9000; i < 9450; ++i) near += distance(demo::doodle(i)) <= known.limit();
  const Dataset test = digits(lab::digits_seed, Index{1} << 31, 400);
  for (Index i = 0; i < 400; ++i) right += distance(test.take(i, 1).images) <= known.limit();
  EXPECT_LE(near, 45);
  EXPECT_GE(right, 360);
  // A digit that is known is at no distance, however dark it is.
  const Tensor first = digits(lab::digits_seed, 0, 1).images;
  EXPECT_NEAR(distance(first), 0, 1e-6);
  EXPECT_NEAR(known.distance(reshape(cast(first, f64) / 1000, {1, 784})), 0, 1e-6);
  EXPECT_EQ(known.distance(zeros({1, 784})), 1);
}

TEST_F(Demo, PreparesADrawingAsMnistWas) {
  start({"--model", model()});
  for (const Index side : {Index{28}, Index{140}, Index{400}}) {
    const std::vector<int> ink = seven(side);
    const Answer answer = post("/api/predict", {{"image", ink}, {"width", side}, {"height", side}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    const std::vector<std::uint8_t> levels(ink.begin(), ink.end());
    const Tensor expected = center_digit(from(levels, {side, side}));
    const auto values = expected.data<std::uint8_t>();
    EXPECT_EQ(answer.json()["image"], Json(std::vector<int>(values.begin(), values.end())));
    std::vector<double> scaled;
    for (const auto value : values) scaled.push_back(value / 255.0);
    const Json same = post("/api/predict", {{"pixels", scaled}}).json();
    EXPECT_EQ(answer.json()["class"], same["class"]);
    for (std::size_t k = 0; k < 10; ++k)
      EXPECT_NEAR(answer.json()["probabilities"][k].get<double>(), same["probabilities"][k].get<double>(),
                  1e-6);
  }
  // Ink all along the border is still ink.
  std::vector<int> frame(100, 0);
  for (std::size_t i = 0; i < 10; ++i) frame[i] = frame[90 + i] = frame[10 * i] = frame[10 * i + 9] = 255;
  const Json framed = post("/api/predict", {{"image", frame}, {"width", 10}, {"height", 10}}).json();
  EXPECT_EQ(framed["image"][14 * 28 + 14], 0);
  EXPECT_EQ(framed["image"][5 * 28 + 14], 255);
  // Nothing drawn is no digit.
  const Answer blank =
      post("/api/predict", {{"image", std::vector<int>(100, 0)}, {"width", 10}, {"height", 10}});
  EXPECT_EQ(blank.status, 400);
  EXPECT_THAT(blank.error(), HasSubstr("there is no ink"));
}

// The explanations of networks of every kind, by finite differences of what the server says itself.
TEST_F(Demo, ExplainsByTrueDerivatives) {
  const std::vector<std::pair<std::string, Arguments>> kinds = {
      {"plain", {"--hidden", "16"}},
      {"deep", {"--hidden", "16,12", "--activation", "tanh", "--normalize", "pixel"}},
      {"whitened", {"--hidden", "16", "--normalize", "whiten"}},
      {"residual", {"--model", "residual_mlp", "--hidden", "8,8"}},
      {"flat", {"--hidden", ""}},
  };
  for (const auto& [name, options] : kinds) {
    SCOPED_TRACE(name);
    make_model(name, options + Arguments{"--dtype", "f64", "--epochs", "2"});
    start({"--model", model(name)});
    const std::vector<double> x = pixels(3);
    const auto ask = [&](const std::vector<double>& image, const Json& more) {
      Json body{{"pixels", image}};
      body.update(more);
      return post("/api/explain", body).json();
    };
    const Json found = ask(x, Json::object());
    const Json predicted = post("/api/predict", {{"pixels", x}}).json();
    const auto best = found["class"].get<std::size_t>();
    EXPECT_EQ(found["probabilities"], predicted["probabilities"]);
    EXPECT_EQ(found["explained"], best);
    EXPECT_EQ(found["layers"].size(), name == "flat"       ? 0u
                                      : name == "deep"     ? 2u
                                      : name == "residual" ? 3u
                                                           : 1u);
    EXPECT_EQ(found["units"].empty(), name == "flat");
    ASSERT_EQ(found["gradient"].size(), 784u);

    // Where this pen has drawn, and the network looks.
    for (const std::size_t pixel : {14u * 28 + 14, 10u * 28 + 12, 18u * 28 + 15}) {
      constexpr double h = 1e-3;
      std::vector<double> less = x, more = x;
      const double middle = std::clamp(x[pixel], h, 1 - h);
      less[pixel] = middle - h;
      more[pixel] = middle + h;
      const Json low = ask(less, {{"class", best}}), high = ask(more, {{"class", best}});
      std::vector<double> at = x;
      at[pixel] = middle;
      const Json here = ask(at, {{"class", best}});
      EXPECT_NEAR((high["logit"].get<double>() - low["logit"].get<double>()) / (2 * h),
                  here["gradient"][pixel].get<double>(), 2e-3)
          << pixel;
      for (const Json& unit : here["units"]) {
        const auto value = [&](const Json& of) {
          return of["layers"][0]["values"][unit["index"].get<std::size_t>()].get<double>();
        };
        EXPECT_NEAR(value(here), unit["activation"].get<double>(), 1e-3);
        // tanh is not straight: its slope is 1 - y * y.
        const double slope = name == "deep" ? 1 - std::pow(unit["activation"].get<double>(), 2) : 1;
        EXPECT_NEAR((value(high) - value(low)) / (2 * h), slope * unit["weights"][pixel].get<double>(), 5e-2);
      }
    }
    // The largest parts, of both signs; with all others and the rest they are the logit.
    double before = INFINITY, total = found["others"].get<double>() + found["rest"].get<double>();
    for (const Json& unit : found["units"]) {
      const auto part = unit["contribution"].get<double>();
      EXPECT_LE(std::abs(part), before);
      before = std::abs(part);
      total += part;
    }
    if (name != "flat") {
      EXPECT_NEAR(total, found["logit"].get<double>(), 1e-9);
    }
    if (name == "plain") {  // a unit's part is its output times its weight, exactly, and the rest is the bias
      const models::Model loaded = models::load_model(model(name));
      const State state = loaded.net.state();
      for (const NamedTensor& item : state)
        if (item.name == "fc2.bias") {
          EXPECT_NEAR(found["rest"].get<double>(), item.value.at(static_cast<Index>(best)), 1e-9);
        }
      const auto out = std::find_if(state.begin(), state.end(),
                                    [](const NamedTensor& item) { return item.name == "fc2.weight"; });
      for (const Json& unit : found["units"])
        EXPECT_NEAR(unit["contribution"].get<double>(),
                    unit["activation"].get<double>() *
                        out->value.at(static_cast<Index>(best) * 16 + unit["index"].get<Index>()),
                    1e-9);
    }

    const std::size_t target = best == 7 ? 1 : 7;
    const Json change = ask(x, {{"target", target}})["change"];
    EXPECT_EQ(change["reached"], true);
    EXPECT_GT(change["steps"], 0);
    EXPECT_EQ(change["class"], target);
    EXPECT_GE(change["probabilities"][target].get<double>(), 0.5);
    const Json seen = post("/api/predict", {{"pixels", change["pixels"]}}).json();
    EXPECT_NEAR(seen["probabilities"][target].get<double>(), change["probabilities"][target].get<double>(),
                1e-3);
    EXPECT_EQ(ask(x, {{"target", best}})["change"]["steps"] == 0,
              found["probabilities"][best].get<double>() >= 0.5);
  }
}

TEST_F(Demo, GalleryShowsWhatIsWrongFirst) {
  start({"--model", model()});
  const Dataset set = test_set();
  const Tensor logits = train::predict(models::load_model(model()).net, set);
  const Tensor confusion = train::confusion_matrix(logits, set.labels);
  const Json all = get("/api/gallery?count=100").json();
  EXPECT_EQ(all["available"], true);
  EXPECT_EQ(all["size"], 2000);
  EXPECT_EQ(all["found"], 2000);
  Index wrong = 0;
  for (std::size_t row = 0; row < 10; ++row)
    for (std::size_t column = 0; column < 10; ++column) {
      EXPECT_EQ(all["confusion"][row][column], confusion.at(static_cast<Index>(10 * row + column)));
      wrong += row == column ? 0 : all["confusion"][row][column].get<Index>();
    }
  EXPECT_EQ(all["wrong"], wrong);
  ASSERT_EQ(all["items"].size(), 100u);
  double before = 1;
  for (Index i = 0; i < 100; ++i) {
    const Json& item = all["items"][static_cast<std::size_t>(i)];
    const auto index = item["index"].get<Index>();
    EXPECT_EQ(item["label"] != item["predicted"], i < wrong) << i;
    EXPECT_EQ(item["label"], set.labels.at(index));
    const Dataset image = set.take(index, 1);
    const auto bytes = image.images.data<std::uint8_t>();
    EXPECT_EQ(item["image"], Json(std::vector<int>(bytes.begin(), bytes.end())));
    if (i < wrong) {
      EXPECT_LE(item["confidence"].get<double>(), before);
      before = item["confidence"];
    }
  }
  const Json next = get("/api/gallery?count=10&offset=90").json();
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(next["items"][i], all["items"][90 + i]);
  const Json some = get("/api/gallery?label=3&predicted=3&count=5").json();
  EXPECT_EQ(some["found"], confusion.at(33));
  EXPECT_EQ(some["items"].size(), 5u);
  EXPECT_EQ(some["items"][0]["label"], 3);
  EXPECT_EQ(get("/api/gallery?label=10").error(), "label: expected a whole number from 0 to 9");
  EXPECT_EQ(get("/api/gallery?count=1e9").status, 400);

  // A model of MNIST without MNIST: everything but the gallery works.
  SafetensorsFile file = load_safetensors(model());
  file.metadata.erase("digest");
  file.metadata["dataset"] = "mnist";
  save_safetensors(path("m.safetensors"), file.tensors, file.metadata);
  start({"--model", "m.safetensors"});
  const Json none = get("/api/gallery").json();
  EXPECT_EQ(none["available"], false);
  EXPECT_THAT(none["reason"].get<std::string>(), StartsWith("[mnist] not found"));
  EXPECT_EQ(post("/api/predict", {{"pixels", pixels(0)}}).status, 200);
}

TEST_F(Demo, TrainsBeforeOnesEyes) {
  make_mnist(1500, 200);  // on which to train takes no time
  start({"--data-dir", "data", "--seed", "5"});
  auto first = events(request("GET", "/api/train"));
  ASSERT_GE(first.size(), 4u);
  EXPECT_EQ(first.front().first, "start");
  EXPECT_EQ(first.front().second["dataset"], "mnist");
  EXPECT_EQ(first.front().second["seed"], 5);
  EXPECT_EQ(first.back().first, "end");
  EXPECT_EQ(first.back().second["status"], "done");
  EXPECT_EQ(get("/api/model").json()["training"], false);
  EXPECT_EQ(get("/api/model").json()["datasets"], Json({"digits", "mnist"}));
  // Who comes late is told the same story.
  const auto again = events(request("GET", "/api/train"));
  EXPECT_EQ(again.back(), first.back());

  const Json options{{"dataset", "digits"}, {"hidden", "16"}, {"epochs", 3}, {"augment", ""}, {"seed", 7}};
  const Json before = post("/api/predict", {{"pixels", pixels(0)}}).json();
  const auto told = events(request("POST", "/api/train", options.dump()));
  std::vector<Json> rows;
  bool progress = false;
  for (const auto& [name, json] : told) {
    if (name == "epoch") rows.push_back(json);
    progress |= name == "progress" && json["batch"].get<int>() > 0 && json["loss"].get<double>() > 0;
  }
  EXPECT_TRUE(progress);
  ASSERT_EQ(rows.size(), 3u);
  for (const char* field : {"step", "train_loss", "val_loss", "val_accuracy", "lr", "flops", "seconds"})
    EXPECT_TRUE(rows[2].contains(field)) << field;
  EXPECT_LT(rows[2]["train_loss"], rows[0]["train_loss"]);
  EXPECT_EQ(told.back().second["status"], "done");
  EXPECT_GT(told.back().second["test_accuracy"].get<double>(), 0.7);
  EXPECT_EQ(get("/api/model").json()["sizes"], Json({784, 16, 10}));
  const int number = get("/api/model").json()["number"];
  const Json after = post("/api/predict", {{"pixels", pixels(0)}}).json();
  EXPECT_NE(after, before);
  // The same seed gives the same network.
  EXPECT_EQ(events(request("POST", "/api/train", options.dump())).back().second["test_loss"],
            told.back().second["test_loss"]);
  EXPECT_EQ(post("/api/predict", {{"pixels", pixels(0)}}).json(), after);

  EXPECT_GT(get("/api/model").json()["number"], number);

  // One at a time; the old network answers meanwhile; it can be cancelled.
  const Json endless{{"hidden", "64"}, {"epochs", 100}};
  const auto until_epoch = [](const std::string& text) {
    return text.find("event: epoch") != std::string::npos;
  };
  events(request("POST", "/api/train", endless.dump()), until_epoch);
  EXPECT_EQ(get("/api/model").json()["training"], true);
  const Answer second = post("/api/train", options);
  EXPECT_EQ(second.status, 409);
  EXPECT_THAT(second.error(), StartsWith("a training run is under way"));
  EXPECT_EQ(post("/api/predict", {{"pixels", pixels(0)}}).json(), after);
  EXPECT_EQ(send(request("DELETE", "/api/train")).json()["cancelled"], true);
  EXPECT_EQ(events(request("GET", "/api/train")).back().second["status"], "cancelled");
  EXPECT_EQ(post("/api/predict", {{"pixels", pixels(0)}}).json(), after);
  EXPECT_EQ(send(request("DELETE", "/api/train")).json()["cancelled"], false);

  // A run that comes to nothing leaves the old network as well.
  const auto lost =
      events(request("POST", "/api/train", R"({"hidden": "16", "epochs": 2, "lr": 1e30, "augment": ""})"));
  EXPECT_EQ(lost.back().second["status"], "diverged");
  EXPECT_THAT(lost.back().second["problem"].get<std::string>(), HasSubstr("epoch 1"));
  EXPECT_EQ(post("/api/predict", {{"pixels", pixels(0)}}).json(), after);

  const std::pair<std::string, std::string> refused[] = {
      {R"({"dataset": "cifar-10"})", "dataset: expected digits or mnist, got \"cifar-10\""},
      {R"({"hidden": 5})", "hidden: expected a text, found number"},
      {R"({"hidden": "0"})", "hidden: "},
      {R"({"hidden": "4096"})", "hidden: expected up to 5 layers of up to 2048 units"},
      {R"({"hidden": "1,1,1,1,1,1"})", "hidden: expected up to 5 layers of up to 2048 units"},
      {R"({"epochs": 101})", "epochs: expected a whole number from 1 to 100, found 101"},
      {R"({"epochs": 1.5})", "epochs: expected a whole number from 1 to 100, found 1.5"},
      {R"({"seed": 18446744073709551615})", "seed: expected a whole number from 0 to 4294967295"},
      {R"({"activation": "step"})", "activation: "},
      {R"({"lr": "fast"})", "lr: expected a number, found string"},
      {R"({"lr": -1})", "lr: "},
      {R"({"width": 3})", "there is no field \"width\" here; there are dataset, hidden"},
      {R"([1])", "expected a JSON object, found array"},
  };
  for (const auto& [body, message] : refused) {
    const Answer answer = send(request("POST", "/api/train", body));
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.error(), StartsWith(message)) << body;
  }
}

TEST_F(Demo, TrainsOnTheBuiltInDigitsForLackOfMnist) {
  start({});
  const auto answers_by_then = [](const std::string& text) {
    return text.find("event: epoch") != std::string::npos;
  };
  const Json start_event = events(request("GET", "/api/train"), answers_by_then).front().second;
  EXPECT_EQ(start_event["dataset"], "digits");
  // The first epoch's network answers while the others are to come.
  const Answer answer = post("/api/predict", {{"pixels", pixels(0)}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(child_->err(),
              StartsWith("demo: training on the built-in digits, for lack of MNIST: [mnist] not found"));
  // Ctrl-C ends it in the middle of the run.
  child_->kill(SIGINT);
  EXPECT_EQ(child_->wait().code, 130);
}

TEST_F(Demo, ServesThePageAndLetsNothingElseIn) {
  start({"--model", model()});
  const Answer page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.head, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(page.head, HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self'"));
  EXPECT_THAT(page.head, Not(HasSubstr("Access-Control")));
  EXPECT_THAT(page.body, StartsWith("<!doctype html>"));
  EXPECT_THAT(page.body, Not(HasSubstr("://")));  // nothing from anywhere else
  // All that the page refers to is there.
  for (std::size_t at = 0; (at = page.body.find("=\"/", at)) != std::string::npos; ++at) {
    const std::string path = page.body.substr(at + 2, page.body.find('"', at + 2) - at - 2);
    EXPECT_EQ(get(path).status, 200) << path;
  }
  const Answer head = send(request("HEAD", "/"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");

  const std::string good = Json{{"pixels", pixels(0)}}.dump();
  const auto with = [&](const std::string& number) {  // the first pixel something else
    std::string list = number;
    for (int i = 1; i < 784; ++i) list += ",0";
    return request("POST", "/api/predict", "{\"pixels\": [" + list + "]}");
  };
  const auto raw = [&](const std::string& line, const std::string& headers) {
    return line + " HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n";
  };
  const std::string host = fmt::format("Host: 127.0.0.1:{}\r\n", port_);
  struct Case {
    std::string request;
    int status;
    std::string message;
  };
  const std::vector<Case> cases = {
      {request("POST", "/api/predict", "pixels"), 400, "the body is not JSON: "},
      {request("POST", "/api/predict", ""), 400, "the body is not JSON: "},
      {request("POST", "/api/predict", "{\"pixels\": [\xff\xfe]}"), 400, "the body is not JSON: "},
      {request("POST", "/api/predict", "[]"), 400, "expected a JSON object, found array"},
      {request("POST", "/api/predict", "{}"), 400,
       "expected either pixels, 784 numbers from 0 to 1, or a drawing"},
      {request("POST", "/api/predict", R"({"pixels": [0, 1]})"), 400,
       "pixels: expected 784 numbers from 0 to 1, found 2"},
      {request("POST", "/api/predict", R"({"pixels": "x"})"), 400,
       "pixels: expected 784 numbers from 0 to 1, found string"},
      {request("POST", "/api/predict", R"({"pixels": [], "x": 1})"), 400, "there is no field \"x\" here"},
      {with("NaN"), 400, "the body is not JSON: "},
      {with("1e999"), 400, "the body is not JSON: "},
      {with("null"), 400, "pixels: expected numbers from 0 to 1, found null at position 0"},
      {with("1.5"), 400, "pixels: expected numbers from 0 to 1, found 1.5 at position 0"},
      {with("-1"), 400, "pixels: expected numbers from 0 to 1, found -1 at position 0"},
      {with("[0]"), 400, "pixels: expected numbers from 0 to 1, found array at position 0"},
      {request("POST", "/api/predict", std::string(500'000, '[')), 400,
       "the JSON is nested more than 4 deep"},
      {request("POST", "/api/predict", R"({"image": [1], "width": 1})"), 400,
       "an image comes with its width and its height"},
      {request("POST", "/api/predict", R"({"image": [1], "width": 1, "height": 1000000000000})"), 400,
       "height: expected a whole number from 1 to 400, found 1000000000000"},
      {request("POST", "/api/predict", R"({"image": [256], "width": 1, "height": 1})"), 400,
       "image: expected numbers from 0 to 255, found 256 at position 0"},
      {request("POST", "/api/explain", good.substr(0, good.size() - 1) + R"(, "target": 10})"), 400,
       "target: expected a whole number from 0 to 9, found 10"},
      {request("GET", "/api/nothing"), 404, "there is nothing at this path"},
      {request("GET", "/../../etc/passwd"), 404, "there is nothing at this path"},
      {request("GET", "/<script>"), 404, "there is nothing at this path"},
      {request("GET", "/api/predict"), 405, "expected the method POST"},
      {request("PUT", "/api/train"), 405, "expected the method POST, GET, HEAD, DELETE"},
      {request("OPTIONS", "/api/predict"), 405, "expected the method POST"},
      {request("BREW", "/"), 405, "expected the method GET, HEAD"},
      {"this is no HTTP\r\n\r\n", 400,
       "the request is malformed: expected a first line such as GET / HTTP/1.1"},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 400, "the request is malformed: expected a first line"},
      {"G\x01T / HTTP/1.1\r\n" + host + "\r\n", 400, "the request is malformed: expected a first line"},
      {raw("GET nothing", host), 400, "the request is malformed: expected a path that begins with /"},
      {raw("GET /\x7f", host), 400, "the request is malformed: the path has a control character"},
      {raw("GET /", host + "X : 1\r\n"), 400,
       "the request is malformed: expected a header such as Name: value"},
      {raw("GET /", host + "X: 1\r\n 2\r\n"), 400, "the request is malformed: expected a header"},
      {raw("GET /", host + "X\r\n"), 400, "the request is malformed: expected a header"},
      {raw("GET /", host + "X: 1\r2\r\n"), 400, "the request is malformed: a header has a control character"},
      {raw("GET /", host + "X: " + std::string(1, '\0') + "\r\n"), 400,
       "the request is malformed: a header has a control character"},
      {raw("GET /", ""), 400, "expected one Host header"},
      {raw("GET /", host + host), 400, "expected one Host header"},
      {raw("GET /", "Host: example.com\r\n"), 403, "this server is http://127.0.0.1:"},
      {raw("GET /", "Host: 127.0.0.1\r\n"), 403, "this server is http://127.0.0.1:"},
      {raw("GET /", fmt::format("Host: 127.0.0.1.example.com:{}\r\n", port_)), 403, "this server is"},
      {request("POST", "/api/train", "{}", "Origin: http://example.com\r\n"), 403, "pages of other origins"},
      {request("POST", "/api/train", "{}", "Origin: null\r\n"), 403, "pages of other origins"},
      {raw("POST /api/predict", host), 411, "expected a Content-Length"},
      {raw("POST /api/predict", host + "Transfer-Encoding: chunked\r\n"), 411, "expected a body of a stated"},
      {raw("POST /api/predict", host + "Content-Length: -5\r\n"), 400,
       "Content-Length: expected one whole number"},
      {raw("POST /api/predict", host + "Content-Length: 1\r\nContent-Length: 2\r\n"), 400,
       "Content-Length: "},
      {raw("POST /api/predict", host + "Content-Length: 99999999999999999999\r\n"), 413,
       "the body is larger"},
      {raw("POST /api/predict", host + "Content-Length: 2\r\nContent-Encoding: gzip\r\n") + "{}", 415,
       "expected a body that is not compressed"},
      {raw("GET /api/model", host + "Content-Length: 2\r\n") + "{}", 400,
       "expected no body with the method GET"},
      {raw("GET /", host + "X: " + std::string(100'000, 'x') + "\r\n"), 431,
       "the head of the request is longer than 32768 bytes"},
  };
  for (const Case& item : cases) {
    const Answer answer = send(item.request);
    const std::string shown = item.request.substr(0, 200);
    EXPECT_EQ(answer.status, item.status) << shown;
    EXPECT_THAT(answer.error(), StartsWith(item.message)) << shown;
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/json\r\n")) << shown;
    EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n")) << shown;
  }
  EXPECT_THAT(send(request("PUT", "/api/train")).head, HasSubstr("Allow: POST, GET, HEAD, DELETE\r\n"));
  // A target of a line of its own.
  EXPECT_EQ(send(raw("GET /" + std::string(20'000, 'a'), host)).status, 414);
  // Curl asks first, and browsers may not send it a body of another origin at all.
  EXPECT_EQ(
      send(request("POST", "/api/predict", "", "Expect: 100-continue\r\nContent-Length: 5000000\r\n")).status,
      400);
  EXPECT_EQ(
      send(raw("POST /api/predict", host + "Expect: 100-continue\r\nContent-Length: 5000000\r\n")).status,
      413);
  // A body of 100 MB: the client, who sends it all, gets to read the answer.
  {
    const Socket socket(port_);
    socket.send(raw("POST /api/predict", host + "Content-Length: 100000000\r\n"));
    const std::string part(1'000'000, '0');
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(socket.send(part)) << i;
    const Answer answer = parse(socket.receive());
    EXPECT_EQ(answer.status, 413);
    EXPECT_EQ(answer.error(), "the body is larger than 1048576 bytes");
  }
  EXPECT_EQ(send(raw("GET /api/model", fmt::format("Host: LocalHost:{}\r\n", port_))).status, 200);
  // Parts and compression are not offered, and nothing is sent twice over by asking for parts.
  for (const char* range : {"bytes=0-,0-,0-,0-", "bytes=0-1,5-1", "bytes=0-1,0-1,abc"}) {
    const Answer parts =
        send(request("GET", "/", "", fmt::format("Range: {}\r\nAccept-Encoding: gzip, br\r\n", range)));
    EXPECT_EQ(parts.status, 200) << range;
    EXPECT_EQ(parts.body, page.body) << range;
  }
  // Lines may end in LF alone; paths and queries are decoded, and what is no code stays as it is.
  EXPECT_EQ(send("GET /api/%6dodel HTTP/1.1\nHost: localhost:" + std::to_string(port_) +
                 "\nConnection: Upgrade, CLOSE\n\n")
                .status,
            200);
  EXPECT_EQ(get("/api/gallery?%63ount=%35&count=6").json()["items"].size(), 5u);
  EXPECT_EQ(get("/api/gallery?count=%zz").error(), "count: expected a whole number from 0 to 100");
  EXPECT_EQ(get("/api/gallery?count=%3").error(), "count: expected a whole number from 0 to 100");
  // HTTP/1.0 has a connection for a request, and knows no pieces.
  const std::string old = fmt::format("GET /api/model HTTP/1.0\r\nHost: localhost:{}\r\n\r\n", port_);
  EXPECT_THAT(send(old + old).head, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(send(old + old).json().is_object());
  // Who asks whether to send a body is told to go on, and then answered.
  {
    const Socket socket(port_);
    socket.send(raw("POST /api/predict",
                    host + fmt::format("Expect: 100-continue\r\nContent-Length: {}\r\n", good.size())));
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_EQ(socket.receive([&](const std::string& text) { return text.size() >= go_on.size(); }), go_on);
    socket.send(good);
    EXPECT_EQ(parse(socket.receive()).status, 200);
  }
  // One connection, many requests, the later ones sent before the first is answered.
  {
    const Socket socket(port_);
    std::string all;
    for (int i = 0; i < 5; ++i)
      all += fmt::format("POST /api/predict HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{}", host, good.size(),
                         good);
    socket.send(all + request("GET", "/api/model"));
    const std::string answers = socket.receive();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = answers.find("HTTP/1.1 200 OK", at)) != std::string::npos; ++at) ++count;
    EXPECT_EQ(count, 6u);
  }
  EXPECT_EQ(send(request("POST", "/api/predict", good)).status, 200);
}

// Abusive clients, a thousand at a time, each of whom comes again when it is thrown out.
TEST_F(Demo, AnswersAmongAThousandAbusiveClients) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &files);
  ASSERT_GT(files.rlim_cur, 1100u) << "the system does not let this test open its connections";
  start({"--model", model()});
  const std::string host = fmt::format("Host: 127.0.0.1:{}\r\n", port_);
  const std::string good = request("POST", "/api/predict", Json{{"pixels", pixels(0)}}.dump());
  const std::string expected = send(good).body;

  const std::vector<std::string> kinds = {
      "",                                                                           // says nothing
      "G",                                                                          // a byte now and then
      std::string(3000, '\x01') + "\r\n\r\n",                                       // garbage
      "GET / HTTP/1.1\r\n" + host,                                                  // half a head
      "GET / HTTP/1.1\r\n" + host + "X: " + std::string(60'000, 'x'),               // a head without an end
      "POST /api/predict HTTP/1.1\r\n" + host + "Content-Length: 900000\r\n\r\n[",  // half a body
      "POST /api/predict HTTP/1.1\r\n" + host + "Content-Length: 100000000\r\n\r\n" +
          std::string(50'000, '['),
      "GET /api/gallery?count=100 HTTP/1.1\r\n" + host + "\r\n",  // does not read the answer
      request("POST", "/api/predict", std::string(100'000, '[')),
      request("GET", "/api/train"),
  };
  struct Abuser {
    Socket socket;
    std::size_t kind;
  };
  std::vector<Abuser> abusers;
  std::size_t connections = 0;
  const auto begin_abuse = [&](std::size_t kind) {
    Abuser abuser{Socket(port_), kind};
    ++connections;
    if (abuser.socket.open()) {
      const std::string& bytes = kinds[kind];
      ::send(abuser.socket.id(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return abuser;
  };
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < 1000; ++i) abusers.push_back(begin_abuse(i % kinds.size()));

  std::vector<double> times;
  std::thread user([&] {
    while (Clock::now() < begin + seconds(6)) {
      const auto asked = Clock::now();
      EXPECT_EQ(send(good).body, expected);
      times.push_back(std::chrono::duration<double>(Clock::now() - asked).count());
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  for (std::size_t at = 0; Clock::now() < begin + seconds(6); at = (at + 1) % abusers.size()) {
    Abuser& abuser = abusers[at];
    char byte = 0;
    const bool gone =
        !abuser.socket.open() ||
        (::send(abuser.socket.id(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN) ||
        ::recv(abuser.socket.id(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    if (gone && at % 7 == 0) {  // some end with a reset
      const linger now{1, 0};
      ::setsockopt(abuser.socket.id(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    if (gone) abuser = begin_abuse(abuser.kind);
    if (at == 0) std::this_thread::sleep_for(milliseconds(50));
  }
  user.join();
  EXPECT_GT(connections, 1000u);
  // Nobody waits for an abuser's deadline to pass. (Not how fast it is: the machine may be busy with other
  // tests.)
  EXPECT_FALSE(times.empty());
  EXPECT_LT(*std::max_element(times.begin(), times.end()), 10) << "seconds";
  abusers.clear();
  EXPECT_EQ(send(good).body, expected);
  EXPECT_LT(Clock::now() - begin, seconds(60));
  EXPECT_EQ(child_->err(), "demo: open that address in a browser; Ctrl-C ends it\n");
  child_->kill(SIGTERM);
  EXPECT_EQ(child_->wait().code, 143);
}

TEST_F(Demo, CommandLine) {
  const std::pair<Arguments, std::string> wrong[] = {
      {{"--port", "65536"}, "--port: expected a number from 0 to 65535, got 65536"},
      {{"--port", "-1"}, "--port: expected a number from 0 to 65535, got -1"},
      {{"--port", "http"}, "the argument ('http') for option '--port' is invalid"},
      {{"--seed", "-1"}, "--seed: expected a number from 0 to 4294967295, got -1"},
      {{"model.safetensors"}, "unexpected argument 'model.safetensors'"},
      {{"--por", "1"}, "unrecognised option '--por'"},
  };
  for (const auto& [arguments, message] : wrong) {
    const Outcome outcome = run_demo(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, "demo: " + message + "\nsee ./elk demo --help\n");
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_THAT(run_demo({"--help"}).out, StartsWith("Usage: ./elk demo [options]\n"));
  EXPECT_THAT(run_demo({"--version"}).out,
              testing::MatchesRegex("elkgrad [0-9.]+\ninstruction set [a-z0-9]+, BLAS .+\n"));

  SafetensorsFile file = load_safetensors(model());
  file.metadata.erase("digest");
  file.metadata["dataset"] = "fashion-mnist";
  save_safetensors(path("fashion"), file.tensors, file.metadata);
  const Outcome fashion = run_demo({"--model", "fashion"});
  EXPECT_EQ(fashion.code, 1);
  EXPECT_EQ(fashion.err,
            "demo: fashion is a model of the data set \"fashion-mnist\" for inputs (28, 28); here digits are "
            "drawn: expected a model of digits or mnist for inputs (28, 28)\n");
  EXPECT_EQ(run_demo({"--model", "none"}).code, 1);

  // A port that is taken is an error where it was asked for.
  start({"--model", model()});
  const Outcome taken = run_demo({"--model", model(), "--port", std::to_string(port_)});
  EXPECT_EQ(taken.code, 1);
  EXPECT_EQ(taken.err,
            fmt::format("demo: port {} is in use by another program; --port 0 takes a free one\n", port_));

  // The usual port is not insisted on.
  const int usual = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(8080);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(usual, reinterpret_cast<sockaddr*>(&address), sizeof address);  // or somebody else has it already
  ::listen(usual, 1);
  {
    const Child other({"--model", model()}, demo_around());
    wait_for_address(other);
    EXPECT_THAT(other.out(), testing::MatchesRegex("http://127.0.0.1:[0-9]+/\n"));
    EXPECT_NE(other.out(), "http://127.0.0.1:8080/\n");
    EXPECT_THAT(other.err(), StartsWith("demo: port 8080 is in use by another program: taking a free one\n"));
  }
  ::close(usual);

  // Quiet but for the address.
  const Child quiet({"--model", model(), "--port", "0", "--quiet"}, demo_around());
  wait_for_address(quiet);
  EXPECT_THAT(quiet.out(), testing::MatchesRegex("http://127.0.0.1:[0-9]+/\n"));
  EXPECT_EQ(quiet.err(), "");
}

TEST_F(Demo, TargetsAndOriginsOfEveryForm) {
  start({"--model", model()});
  const auto ask = [&](const std::string& target, const std::string& headers = {}) {
    return send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{}\r\n", target,
                            port_, headers));
  };
  // RFC 9112, 3.2.2: every server takes the form that clients of proxies send.
  const std::string here = fmt::format("http://127.0.0.1:{}", port_), page = ask("/").body;
  EXPECT_EQ(ask(here + "/api/model").json()["ready"], true);
  EXPECT_EQ(ask(fmt::format("HTTP://LocalHost:{}/api/model?x=1", port_)).status, 200);
  EXPECT_EQ(ask(here).body, page);
  EXPECT_EQ(ask(here + "?x=/").body, page);
  EXPECT_EQ(ask(here + "/api/nothing").status, 404);
  EXPECT_EQ(ask("http:///api/model").status, 400);
  EXPECT_EQ(ask("ftp://127.0.0.1/api/model").status, 400);
  for (const std::string other :
       {"http://example.com", "http://localhost", "http://localhost:1@example.com"}) {
    const Answer answer = ask(other + "/api/model");
    EXPECT_EQ(answer.status, 403) << other;
    EXPECT_THAT(answer.error(), StartsWith("this server is http://127.0.0.1:"));
  }

  for (const std::size_t size : {9'000u, 30'000u, 100'000u, 1'000'000u}) {
    const Answer answer = ask("/" + std::string(size, 'a'));
    EXPECT_EQ(answer.status, 414) << size;
    EXPECT_THAT(answer.error(), StartsWith("the path is longer than "));
  }

  const std::string ours = fmt::format("Origin: http://localhost:{}\r\n", port_),
                    foreign = "Origin: http://example.com\r\n";
  EXPECT_EQ(ask("/api/model", ours).status, 200);
  for (const std::string& origins :
       {foreign, ours + foreign, foreign + ours, ours + ours + foreign, ours + "origin:\r\n"})
    EXPECT_EQ(ask("/api/model", origins).error(), "pages of other origins may not use this server")
        << origins;
}

// Where one writes 0,5, the clock jumps back, and a path has anything in it.
TEST_F(Demo, AnswersTheSameInAllSurroundings) {
  const std::string odd = "Z\u00fcrich's \"new\" $HOME `ls` %s {}";
  std::filesystem::create_directory(path(odd));
  std::filesystem::copy(model(), path(odd + "/model.safetensors"));
  Environment unusual{{"LC_ALL", "de_DE.UTF-8"}};  // plain where the machine has no such locale
#ifdef ELK_BACKWARD_CLOCK
  unusual["LD_PRELOAD"] = ELK_BACKWARD_CLOCK;
#endif
  std::vector<std::string> answers;
  for (const auto& [file, environment] :
       {std::pair{model(), Environment{}}, {path(odd + "/model.safetensors"), unusual}}) {
    start({"--model", file}, environment);
    const Json about = get("/api/model").json();
    EXPECT_EQ(about["origin"], file);
    std::string all = about["sizes"].dump();
    for (Index i = 0; i < 3; ++i) all += post("/api/explain", {{"pixels", pixels(i)}, {"target", i}}).body;
    for (const auto& [name, event] :
         events(request("POST", "/api/train", R"({"hidden": "8", "epochs": 2, "lr": 0.0125, "seed": 5})"))) {
      if (name == "start") {
        EXPECT_EQ(event["lr"], 0.0125);
      }
      if (name != "epoch") continue;
      EXPECT_GT(event["seconds"].get<double>(), 0);
      EXPECT_LT(event["seconds"].get<double>(), 1000);
      Json row = event;
      row.erase("seconds");
      all += row.dump();
    }
    answers.push_back(all);
  }
  EXPECT_THAT(answers[0], HasSubstr("\"lr\":0.0125"));
  EXPECT_EQ(answers[0], answers[1]);
}

}  // namespace
}  // namespace elk::lab::test
