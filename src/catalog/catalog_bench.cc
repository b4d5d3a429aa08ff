// What it costs to find a model and pin its version, by how many models there are: nanoseconds of processor time, for
// one name asked again and again, and for names in an order by chance, whose memory the caches hold less and less of
// the more there are. Prints a table, or with --json an object. Build target mm_catalog_bench.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/processor_time.h"
#include "catalog/catalog.h"

namespace modelmill {
namespace {

constexpr int kPins = 1'000'000;
constexpr int kRepeats = 5;

class IdleVersion final : public ModelVersion {
 public:
  using ModelVersion::ModelVersion;
  void submit(InferRequestPtr request) override { request->complete({}); }
};

class Bench {
 public:
  explicit Bench(int models) {
    const auto stats = std::make_shared<VersionStats>(metrics_, "model", 1);
    auto table = std::make_shared<ModelTable>();
    for (int i = 0; i < models; ++i) {
      auto entry = std::make_shared<ModelEntry>();
      entry->name = "model-" + std::to_string(i);
      ModelVersion::Description description;
      description.definition.name = entry->name;
      entry->versions.push_back(std::make_shared<IdleVersion>(std::move(description), stats));
      names_.push_back(entry->name);
      table->put(std::move(entry));
    }
    std::shuffle(names_.begin(), names_.end(), std::mt19937(1));
    catalog_.publish(std::move(table));
  }

  double one_name_ns() {
    return fastest([&] { pinned_ += catalog_.pin(names_.front(), 0).ok(); });
  }

  double any_name_ns() {
    size_t next = 0;
    return fastest([&] {
      pinned_ += catalog_.pin(names_[next], 0).ok();
      if (++next == names_.size()) next = 0;
    });
  }

  bool found_all() const { return pinned_ == 2ULL * kPins * kRepeats; }

 private:
  template <typename Call>
  static double fastest(Call call) {
    double least = testing::processor_ns(kPins, call);
    for (int i = 1; i < kRepeats; ++i) least = std::min(least, testing::processor_ns(kPins, call));
    return least;
  }

  MetricRegistry metrics_;
  Catalog catalog_;
  std::vector<std::string> names_;
  uint64_t pinned_ = 0;
};

struct Figure {
  int models;
  double one_name_ns, any_name_ns;
};

void print_json(const std::vector<Figure>& figures) {
  const char* before = "{";
  for (const Figure& figure : figures) {
    std::printf(R"(%s"%d": {"one_name": %.1f, "any_name": %.1f})", before, figure.models, figure.one_name_ns,
                figure.any_name_ns);
    before = ", ";
  }
  std::printf("}\n");
}

void print_table(const std::vector<Figure>& figures) {
  std::printf("models   one name    any name\n");
  for (const Figure& figure : figures)
    std::printf("%6d  %6.0f ns   %6.0f ns\n", figure.models, figure.one_name_ns, figure.any_name_ns);
}

}  // namespace
}  // namespace modelmill

int main(int argc, char** argv) {
  std::vector<modelmill::Figure> figures;
  for (const int models : {10, 100, 1'000, 10'000}) {
    modelmill::Bench bench(models);
    const double one_name = bench.one_name_ns(), any_name = bench.any_name_ns();
    figures.push_back({models, one_name, any_name});
    if (!bench.found_all()) {
      std::fprintf(stderr, "mm_catalog_bench: a model of %d was not found\n", models);
      return 1;
    }
  }
  if (argc > 1 && std::string(argv[1]) == "--json") {
    modelmill::print_json(figures);
  } else {
    modelmill::print_table(figures);
  }
  return 0;
}
