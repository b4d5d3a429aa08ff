#pragma once

#include <string>

#include "catalog/model_control.h"

namespace modelmill::testing {

/// Lets clients change nothing. Fakes override what their test is about.
class NoModelControl : public ModelControl {
 public:
  void load(ModelLoad, Done done) override { done(refused()); }
  void unload(ModelUnload, Done done) override { done(refused()); }
  void serve_listed(TfServingConfig, Done done) override { done(refused()); }
  void assign(VersionAssignment, Done done) override { done(refused()); }
  void add(ModelAddition, Added done) override { done(refused()); }
  void withdraw(const std::string&, int64_t, Done done) override { done(refused()); }
  void scale(InstanceRequest, Done done) override { done(refused()); }
  Result<ServedPlace> place(const std::string&, int64_t) const override { return refused(); }

 private:
  static Status refused() { return unavailable("clients may not change what is served here"); }
};

}  // namespace modelmill::testing
