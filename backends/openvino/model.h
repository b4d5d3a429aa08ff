#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "compiled.h"
#include "library.h"
#include "model_source.h"
#include "options.h"
#include "ports.h"
#include "shape_compiler.h"

namespace modelmill::ov {

/// A model. On the CPU each instance has a compiled model of its own with one stream, which runs on the thread
/// that calls, unless the model is large, answers with strings, or its parameters say otherwise: then all instances
/// share one, whose streams are threads of OpenVINO's. Instances of their own, of a model with open sizes, get models
/// that are compiled for the shapes which come often (ShapeLedger).
class OvModel final : public backend::Model {
 public:
  OvModel(const backend::ModelArgs& args, const Library::Opened& library);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;

  const Ports& ports() const { return ports_; }

 private:
  void read(const backend::ModelConfig& config);
  void fill_batches(const backend::ModelConfig& config);
  void fit_to(const backend::ModelConfig& config);
  void check_ranks(const backend::ModelConfig& config);
  void share(int fewest);
  Compiled compile() const;
  void compile_fixed(FixedModel& fixed);
  int instances() const;

  const std::string label_;
  const ModelSource source_;
  const int cores_;
  Core* const core_;
  const mm_host_model* const host_model_;
  Options options_;
  uint64_t bytes_ = 0;
  Handle<ov::Model> model_;  // null once nothing will be compiled any more
  Ports ports_;
  bool full_batches_ = false;  // the host fills them up
  Compiled first_;             // taken by the first instance, unless all share it
  double compile_seconds_ = 0;
  std::mutex compiling_;                     // held by who gives `model_` the shapes to compile it for
  std::unique_ptr<ShapeCompiler> compiler_;  // goes first: it uses the others
};

/// What an instance needs for models of single shapes.
struct InstanceShapes {
  ShapeCompiler* compiler = nullptr;  // null: it has none
  double compile_seconds = 0;         // what one takes
};

/// Makes an instance: one execution after another.
std::unique_ptr<backend::Instance> make_instance(const Ports& ports, Compiled compiled, const InstanceShapes& shapes);

}  // namespace modelmill::ov
