#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/testing/temp_folder.h"
#include "experiment/testing/experiment_server.h"
#include "state/file_store.h"

namespace modelmill {

/// What `results` say of an arm.
struct ArmNumbers {
  uint64_t exposed = 0, counted = 0;
  double so_far = 0, rate = 0, variance = 0;
};

inline std::map<std::string, ArmNumbers> arms_in(const std::string& shown) {
  std::map<std::string, ArmNumbers> out;
  simdjson::dom::parser parser;
  for (const simdjson::dom::element arm : parser.parse(shown)["results"]["arms"].get_array()) {
    const auto real = [&](const char* key) { return double(arm[key]); };
    const char* const value = arm["rate"].error() == simdjson::SUCCESS ? "rate" : "mean";
    out[std::string(std::string_view(arm["arm"]))] = {uint64_t(arm["exposed"]), uint64_t(arm["counted"]),
                                                      real("so_far"), real(value), real("variance")};
  }
  return out;
}

/// Processes that share a state, and see the same time.
class ExperimentProcessesTest : public ::testing::Test {
 protected:
  /// One process more; the first one decides.
  ExperimentServer& add() {
    stores_.push_back(FileStore::open(folder_ / "store").value());
    servers_.push_back(std::make_unique<ExperimentServer>(stores_.back().get(), folder_ / "experiments",
                                                          "p" + std::to_string(servers_.size())));
    // All see the same time.
    servers_.back()->look(elapsed_);
    return *servers_.back();
  }
  /// Two, and an experiment.
  void begin(const std::string& request = ExperimentServer::kRequest) {
    add().set_route(ExperimentServer::kSplit);
    const auto status = at(0)->start("x", request, "me").status();
    ASSERT_TRUE(status.ok()) << status.message();
    add();
  }
  ExperimentServer& at(size_t index) { return *servers_[index]; }
  void kill(size_t index) { servers_[index].reset(); }
  /// All look, again and again, until that time is over.
  void pass(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds gone{}; gone < time; gone += std::chrono::milliseconds(250))
      step(std::chrono::milliseconds(250));
  }
  void step(std::chrono::milliseconds time) {
    elapsed_ += time;
    for (const auto& server : servers_)
      if (server) server->look(time);
  }
  size_t files() const {
    const std::filesystem::directory_iterator all(folder_ / "experiments");
    return static_cast<size_t>(std::distance(begin_of(all), std::filesystem::directory_iterator()));
  }
  static std::filesystem::directory_iterator begin_of(std::filesystem::directory_iterator all) { return all; }

  TempFolder folder_;
  std::chrono::milliseconds elapsed_{};
  std::vector<std::unique_ptr<FileStore>> stores_;
  std::vector<std::unique_ptr<ExperimentServer>> servers_;
};

}  // namespace modelmill
