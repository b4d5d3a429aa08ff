// What a route costs a request over a plain name: nanoseconds of processor time to find out that a name is none, with
// and without routes, and to find a route and choose an arm. Prints a table, or with --json an object. Build target
// mm_route_bench.

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/processor_time.h"
#include "route/routes.h"

namespace modelmill {
namespace {

constexpr int kRequests = 1'000'000;
constexpr int kRepeats = 5;
constexpr int kOthers = 100;

RouteDefinition parsed(const std::string& json, const std::string& name) { return parse_route(json, name).value(); }

class Bench {
 public:
  Bench() {
    for (int i = 0; i < 8; ++i) headers_.emplace_back("x-header-" + std::to_string(i), "some value of a header");
    headers_.emplace_back("x-user-id", "5d1f0a0e-7c4e-4b9b-9d1c-2f6f0c1b6a77");
    for (int i = 0; i < kOthers; ++i)
      definitions_.push_back(parsed(R"({"split": {"ocr": 100}})", "route-" + std::to_string(i)));
    definitions_.push_back(parsed(R"({"split": {"ocr@1": 95, "ocr@2": 5}})", "split"));
    definitions_.push_back(parsed(R"({"split": {"ocr@1": 95, "ocr@2": 5}, "sticky": "header:x-user-id"})", "sticky"));
    definitions_.push_back(parsed(R"({"split": {"ocr@1": 95, "ocr@2": 5}, "sticky": "header:x-user-id", "rules": [
        {"when": "header:x-tier", "is": "gold", "to": "ocr@2"}, {"when": "cookie:beta", "to": "ocr@2"},
        {"when": "client", "is": "10.1.0.0/16", "to": "ocr@2"}]})",
                                  "rules"));
  }

  std::vector<std::pair<std::string, double>> run() {
    std::vector<std::pair<std::string, double>> figures;
    figures.emplace_back("no routes at all", time("ocr"));
    routes_.publish(definitions_);
    figures.emplace_back("a plain name among routes", time("ocr"));
    figures.emplace_back("split", time("split"));
    figures.emplace_back("split, sticky key", time("sticky"));
    figures.emplace_back("the same, three rules before", time("rules"));
    return figures;
  }

 private:
  double time(const std::string& name) {
    const RequestFacts facts{&headers_, {}, "192.168.17.4:40212", nullptr};
    double chance = 0, least = 1e9;
    for (int i = 0; i < kRepeats; ++i)
      least = std::min(least, testing::processor_ns(kRequests, [&] {
                         if (const auto route = routes_.find(name)) chosen_ += route->choose(facts, chance);
                         chance = chance < 0.999 ? chance + 0.001 : 0;
                       }));
    return least;
  }

  MetricRegistry metrics_;
  Routes routes_{metrics_};
  RequestFacts::Fields headers_;
  std::vector<RouteDefinition> definitions_;
  uint64_t chosen_ = 0;
};

}  // namespace
}  // namespace modelmill

int main(int argc, char** argv) {
  const auto figures = modelmill::Bench().run();
  const bool json = argc > 1 && std::string(argv[1]) == "--json";
  const char* before = "{";
  for (const auto& [what, ns] : figures) {
    if (json)
      std::printf(R"(%s"%s": %.1f)", before, what.c_str(), ns);
    else
      std::printf("%-30s %6.1f ns\n", what.c_str(), ns);
    before = ", ";
  }
  if (json) std::printf("}\n");
  return 0;
}
