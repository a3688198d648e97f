// Requests to the demo's JSON interface: a first line "METHOD /path?query" and a body. What is accepted is
// answered with JSON; training itself is left out.
#include <demo/api.hpp>
#include <demo/http.hpp>
#include <models/mlp.hpp>

#include "fuzz.hpp"

namespace {

using namespace elk;

struct Demo {
  demo::DataSets data{"/nowhere"};
  demo::NetworkSlot slot;
  demo::Trainer trainer{data, slot};
  std::vector<demo::Route> routes = demo::routes(data, slot, trainer, 1);

  Demo() {
    Rng rng(1);
    std::vector<std::string> classes;
    for (int i = 0; i < 10; ++i) classes.push_back(std::to_string(i));
    const models::ModelInfo info{
        .sizes = {784, 4, 10}, .dataset = "mnist", .classes = classes, .input_shape = {28, 28}};
    const models::MLP net({.sizes = info.sizes, .activation = models::activation("relu", 0.01)}, rng);
    slot.set(std::make_shared<demo::Network>(models::Model{info, net}, "fuzz"));
  }

  void answer(std::string_view text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const demo::RequestHead head = demo::parse_head(std::string(text.substr(0, end)) + " HTTP/1.1\r\n\r\n");
    const demo::Request request{head.query, std::string(text.substr(std::min(end + 1, text.size())))};
    if (head.method == "POST" && head.path == "/api/train") (void)demo::train_config(request, 1);
    for (const demo::Route& route : routes) {
      if (route.method != head.method || route.path != head.path || route.path == "/api/train") continue;
      const demo::Reply reply = route.answer(request);
      fuzz::check(!reply.body.empty() || reply.stream, "an empty answer");
      fuzz::check(reply.type != "application/json" || reply.body.starts_with('{'),
                  "an answer that is no object");
    }
  }
};

Demo& running() {
  static Demo demo;
  return demo;
}

}  // namespace

// Before the first input, which has a time limit: the first drawing makes the digits to compare it with.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  running().answer("POST /api/predict\n{\"image\": [0, 255, 0, 255], \"width\": 2, \"height\": 2}");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepted([&] { running().answer(fuzz::text(data, size)); });
  return 0;
}
