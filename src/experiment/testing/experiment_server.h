#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/stable_hash.h"
#include "catalog/catalog.h"
#include "experiment/experiment_keeper.h"
#include "model/route_assignment.h"
#include "rollout/route_keeper.h"

namespace modelmill {

/// A server of the model m with the versions 1 and 2 and the route r; without traffic but what the test says. Made
/// again over the same store it is that server after a restart.
class ExperimentServer {
 public:
  static constexpr const char* kSplit = R"({"split": {"m@1": 50, "m@2": 50}, "sticky": "header:x-user"})";
  static constexpr const char* kRequest = R"({"route": "r", "goal": "purchase", "window": "10s"})";

  ExperimentServer(StateStore* store, const std::string& folder, const std::string& replica = "a") : store_(store) {
    auto table = std::make_shared<ModelTable>();
    auto entry = std::make_shared<ModelEntry>();
    entry->name = "m";
    entry->statuses = {{1, VersionState::kReady, ""}, {2, VersionState::kReady, ""}};
    table->put(entry);
    catalog_.publish(table);
    RouteKeeper::Options of_routes;
    ExperimentKeeper::Options options;
    if (store_ != nullptr) of_routes.store = options.store = [this](bool) -> Result<StateStore*> { return store_; };
    if (store_ != nullptr) options.folder = folder;
    options.replica = replica;
    of_routes.publish = [](const std::vector<RouteDefinition>&) {};
    of_routes.now = options.now = [] { return "2026-01-31T12:00:00Z"; };
    options.now_ms = [this] { return now_ms_; };
    options.exposures = [this](const std::string& name) { return name == "r" ? exposures_ : nullptr; };
    options.time = &time_;
    routes_ = std::make_unique<RouteKeeper>(catalog_, std::move(of_routes));
    EXPECT_TRUE(routes_->restore().ok());
    keeper_ = std::make_unique<ExperimentKeeper>(*routes_, metrics_, std::move(options));
    keeper_->look();
  }

  ExperimentKeeper* operator->() { return keeper_.get(); }
  RouteKeeper& routes() { return *routes_; }
  Exposures& exposures() { return *exposures_; }
  int64_t now_ms() const { return now_ms_; }
  void set_route(const std::string& json) { EXPECT_TRUE(routes_->set(parse_route(json, "r").value(), "me").ok()); }
  std::string show() { return keeper_->show("x").value(); }
  void look(std::chrono::milliseconds after = std::chrono::milliseconds(200)) {
    time_.advance(after);
    now_ms_ += after.count();
    keeper_->look();
  }
  /// A request of a user that came to an arm.
  void expose(const std::string& user, const std::string& arm, const std::string& request = "") {
    exposures_->add({stable_hash(user), request.empty() ? 0 : stable_hash(request), stable_hash(arm),
                     assignment_hash(*routes_->history("r")->route())});
  }
  /// Users of both arms, `ones` of 100 of whom buy.
  void visit(int users, int ones_of_first, int ones_of_second, const std::string& prefix = "u") {
    std::string batch = "[";
    for (int i = 0; i < users; ++i)
      for (const auto& [arm, ones] : {std::pair("m@1", ones_of_first), std::pair("m@2", ones_of_second)}) {
        const std::string user = prefix + arm + std::to_string(i);
        expose(user, arm);
        if (i % 100 < ones) batch += std::string(batch.size() > 1 ? "," : "") + R"({"user":")" + user + R"("})";
      }
    const auto answer = keeper_->outcomes("x", batch + "]");
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    EXPECT_NE(answer->find(R"("unknown":0)"), std::string::npos) << *answer;
  }
  std::string split() const {
    std::string out;
    const auto history = routes_->history("r");
    for (const RouteArm& arm : history->route()->split)
      out += (out.empty() ? "" : " ") + arm.to.text() + "=" + std::to_string(std::lround(arm.percent));
    return out;
  }

 private:
  StateStore* const store_;
  Catalog catalog_;
  MetricRegistry metrics_;
  ManualTime time_;
  int64_t now_ms_ = 1'769'860'800'000;
  std::shared_ptr<Exposures> exposures_ = std::make_shared<Exposures>();
  std::unique_ptr<RouteKeeper> routes_;
  std::unique_ptr<ExperimentKeeper> keeper_;
};

}  // namespace modelmill
