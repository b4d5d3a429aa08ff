#pragma once

#include <memory>
#include <string>

#include "library.h"
#include "options.h"
#include "ports.h"

namespace modelmill::ov {

/// A model that has been compiled for its device; executions of it share its weights.
using Compiled = std::shared_ptr<CompiledModel>;

/// A model file. On the CPU each instance has a compiled model of its own with one stream, which runs on the thread
/// that calls, unless the model is large, answers with strings, or its parameters say otherwise: then all instances
/// share one, whose streams are threads of OpenVINO's.
class OvModel final : public backend::Model {
 public:
  OvModel(const backend::ModelArgs& args, const Library::Opened& library);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;

  const Ports& ports() const { return ports_; }

 private:
  void read(const backend::ModelConfig& config);
  void fit_to(const backend::ModelConfig& config);
  void check_ranks(const backend::ModelConfig& config);
  void share(int fewest);
  Compiled compile() const;
  int instances() const;

  const std::string label_;
  const std::string file_;
  const int cores_;
  Core* const core_;
  Options options_;
  uint64_t bytes_ = 0;
  Handle<ov::Model> model_;  // null once nothing will be compiled any more
  Ports ports_;
  Compiled first_;  // taken by the first instance, unless all share it
};

/// Makes an instance: one execution after another on one infer request.
std::unique_ptr<backend::Instance> make_instance(const Ports& ports, Compiled compiled);

}  // namespace modelmill::ov
