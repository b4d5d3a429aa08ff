#pragma once

#include <string>
#include <utility>
#include <vector>

#include "catalog/testing/no_model_control.h"
#include "dialect/admin/action.h"

namespace modelmill::admin::testing {

/// What the fakes were asked, and what they answer.
struct Script {
  std::vector<std::string> asked;
  std::string document = "{}";  // of rollouts and experiments
  Status refusal;               // OK: they answer

  Result<std::string> answer(std::string what) {
    asked.push_back(std::move(what));
    return refusal.ok() ? Result<std::string>(document) : refusal;
  }
};

class FakeModels final : public modelmill::testing::NoModelControl {
 public:
  explicit FakeModels(Script& script) : script_(script) {}
  void assign(VersionAssignment a, Done done) override {
    script_.asked.push_back("assign " + a.model + "/" + a.label + " " + std::to_string(a.version.value_or(0)) +
                            (a.ahead ? " ahead" : ""));
    done(script_.refusal);
  }

 private:
  Script& script_;
};

class FakeRoutes final : public RouteControl {
 public:
  explicit FakeRoutes(Script& script) : script_(script) {}
  std::vector<RouteHistory> list() const override { return {history_of("r")}; }
  Result<RouteHistory> history(const std::string& name) const override { return told("history " + name, name); }
  Result<RouteHistory> set(RouteDefinition route, const std::string& by) override {
    return told("set " + route_json(route) + " by " + by, route.name);
  }
  Result<RouteHistory> remove(const std::string& name, const std::string& by) override {
    return told("remove " + name + " by " + by, name);
  }
  Result<RouteHistory> undo(const std::string& name, const std::string& by) override {
    return told("undo " + name + " by " + by, name);
  }

 private:
  static RouteHistory history_of(const std::string& name) {
    return {name,
            {{1, "2026-01-31T12:00:00Z", "set", "me", 0, parse_route(R"({"split": {"m@1": 100}})", name).value()}}};
  }
  Result<RouteHistory> told(std::string what, const std::string& name) const {
    script_.asked.push_back(std::move(what));
    return script_.refusal.ok() ? Result<RouteHistory>(history_of(name)) : script_.refusal;
  }

  Script& script_;
};

class FakeRollouts final : public RolloutControl {
 public:
  explicit FakeRollouts(Script& script) : script_(script) {}
  Result<std::string> list() override { return script_.answer("list rollouts"); }
  Result<std::string> show(const std::string& name) override { return script_.answer("show " + name); }
  Result<std::string> history(const std::string& name) override { return script_.answer("history of " + name); }
  Result<std::string> start(const std::string& name, std::string_view request, const std::string& by) override {
    return script_.answer("start " + name + " " + std::string(request) + " by " + by);
  }
  Result<std::string> act(const std::string& name, RolloutAction action, const std::string& by) override {
    constexpr const char* kNames[] = {"pause", "resume", "abort", "promote"};
    return script_.answer(kNames[static_cast<size_t>(action)] + (" " + name) + " by " + by);
  }

 private:
  Script& script_;
};

class FakeExperiments final : public ExperimentControl {
 public:
  explicit FakeExperiments(Script& script) : script_(script) {}
  Result<std::string> list() override { return script_.answer("list experiments"); }
  Result<std::string> show(const std::string& name) override { return script_.answer("show " + name); }
  Result<std::string> start(const std::string& name, std::string_view request, const std::string& by) override {
    return script_.answer("start " + name + " " + std::string(request) + " by " + by);
  }
  Result<std::string> outcomes(const std::string& name, std::string_view batch) override {
    return script_.answer("outcomes of " + name + " " + std::string(batch));
  }
  Result<std::string> deploy(const std::string& name, std::string_view request, const std::string& by) override {
    return script_.answer("deploy " + name + " " + std::string(request) + " by " + by);
  }
  Result<std::string> stop(const std::string& name, const std::string& by) override {
    return script_.answer("stop " + name + " by " + by);
  }

 private:
  Script& script_;
};

}  // namespace modelmill::admin::testing
