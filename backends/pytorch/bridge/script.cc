// TorchScript: torch::jit's modules.
#include "script.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/import_read.h>

#include <mutex>

#include "values.h"

namespace modelmill::pytorch {
namespace {

using backend::Error;
namespace jit = torch::jit;

void set_kind(Argument& out, const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType: out.kind = Argument::Kind::kTensor; return;
    case c10::TypeKind::IntType:
      out.kind = Argument::Kind::kNumber;
      out.dtype = MM_INT64;
      return;
    case c10::TypeKind::FloatType:
      out.kind = Argument::Kind::kNumber;
      out.dtype = MM_FP64;
      return;
    case c10::TypeKind::BoolType:
      out.kind = Argument::Kind::kNumber;
      out.dtype = MM_BOOL;
      return;
    case c10::TypeKind::OptionalType:
      set_kind(out, *type.containedType(0));
      out.optional = true;
      return;
    case c10::TypeKind::ListType: {
      const bool texts = type.containedType(0)->kind() == c10::TypeKind::StringType;
      out.kind = texts ? Argument::Kind::kTexts : Argument::Kind::kOther;
      if (texts) out.dtype = MM_STRING;
      return;
    }
    case c10::TypeKind::DictType: {
      const bool tensors = type.containedType(0)->kind() == c10::TypeKind::StringType &&
                           type.containedType(1)->kind() == c10::TypeKind::TensorType;
      out.kind = tensors ? Argument::Kind::kDictionary : Argument::Kind::kOther;
      return;
    }
    default: out.kind = Argument::Kind::kOther;
  }
}

Argument to_argument(const c10::Argument& from) {
  Argument out;
  out.name = from.name();
  out.type = from.type()->annotation_str();
  set_kind(out, *from.type());
  out.optional = out.optional || from.default_value().has_value();
  return out;
}

/// What torch.jit.trace called forward() with, which it keeps in the file; none where that can't be read.
std::vector<c10::IValue> traced_inputs(const std::string& file) {
  try {
    caffe2::serialize::PyTorchStreamReader reader(file);
    if (!reader.hasRecord("traced_inputs.pkl")) return {};
    const c10::IValue all =
        jit::readArchiveAndTensors("traced_inputs", "", "", std::nullopt, std::nullopt, at::Device(at::kCPU), reader);
    const auto by_method = all.toGenericDict();
    const auto of_forward = by_method.find("forward");
    if (of_forward == by_method.end()) return {};
    return of_forward->value().toListRef().vec();
  } catch (const std::exception&) {
    return {};
  }
}

void add_examples(std::vector<Argument>& arguments, const std::string& file) {
  const std::vector<c10::IValue> examples = traced_inputs(file);
  for (size_t i = 0; i < std::min(examples.size(), arguments.size()); ++i) {
    Argument& argument = arguments[i];
    if (argument.kind != Argument::Kind::kTensor || !examples[i].isTensor()) continue;
    const at::Tensor& example = examples[i].toTensor();
    argument.dtype = from_torch(example.scalar_type());
    argument.example.assign(example.sizes().begin(), example.sizes().end());
    argument.has_example = argument.dtype != MM_DTYPE_INVALID;
  }
}

/// What an execution writes to that is not its own.
struct Writes {
  bool inputs = false, state = false, forks = false;
};

void look_at_block(const jit::Block& block, const jit::AliasDb& aliases, Writes& out) {
  for (const jit::Node* node : block.nodes()) {
    if (node->kind() == c10::prim::SetAttr) out.state = true;
    if (node->kind() == c10::prim::fork) out.forks = true;
    if (node->kind() == c10::prim::GetAttr && node->output()->type()->kind() != c10::TypeKind::ClassType)
      out.state = out.state || aliases.hasWriters(node->output());
    for (const jit::Block* inner : node->blocks()) look_at_block(*inner, aliases, out);
  }
}

Writes find_writes(const jit::Method& forward) {
  const auto graph = forward.graph()->copy();
  jit::Inline(*graph);
  const jit::AliasDb aliases(graph);
  Writes out;
  for (size_t i = 1; i < graph->inputs().size(); ++i) out.inputs = out.inputs || aliases.hasWriters(graph->inputs()[i]);
  look_at_block(*graph->block(), aliases, out);
  return out;
}

class Script final : public BridgeModel {
 public:
  explicit Script(const std::string& file) : module_(jit::load(file, at::kCPU)) {
    if (!module_.find_method("forward"))
      throw Error(MM_INVALID_ARGUMENT, "the program has no method forward(), which is what is served");
    module_.eval();
    const c10::FunctionSchema& schema = module_.get_method("forward").function().getSchema();
    for (const c10::Argument& argument : schema.arguments())
      if (&argument != &schema.arguments().front()) description_.arguments.push_back(to_argument(argument));
    add_examples(description_.arguments, file);
    const Writes writes = find_writes(module_.get_method("forward"));
    copies_inputs_ = writes.inputs;
    description_.keeps_state = writes.state;
    description_.forks = writes.forks;
  }

  const Description& description() const override { return description_; }

  std::unique_ptr<Outputs> run(std::span<const InputValue> inputs, const RunOptions& options) override {
    return translated("", [&] {
      // Attributes are assigned without a lock of torch's own.
      const auto alone = description_.keeps_state ? std::unique_lock(state_mutex_) : std::unique_lock<std::mutex>();
      use_threads(options.threads);
      const c10::InferenceMode inference(options.inference_mode);
      const at::NoGradGuard no_gradients;
      const jit::GraphOptimizerEnabledGuard optimizing(options.optimize);
      if (options.jit_profiling) jit::getProfilingMode() = *options.jit_profiling;
      if (options.jit_executor) jit::getExecutorMode() = *options.jit_executor;
      auto out = std::make_unique<TorchOutputs>(!description_.keeps_state);
      out->add("", module_.get_method("forward")(arguments(inputs)));
      return out;
    });
  }

 private:
  std::vector<c10::IValue> arguments(std::span<const InputValue> inputs) const {
    std::vector<c10::IValue> out;
    if (description_.arguments.size() == 1 && description_.arguments[0].kind == Argument::Kind::kDictionary) {
      c10::Dict<std::string, at::Tensor> dictionary;
      for (const InputValue& input : inputs) dictionary.insert(std::string(input.key), tensor(input));
      out.emplace_back(std::move(dictionary));
      return out;
    }
    const auto& schema = module_.get_method("forward").function().getSchema().arguments();
    for (size_t i = 0; i < inputs.size(); ++i)
      out.push_back(inputs[i].dtype == MM_DTYPE_INVALID ? schema[i + 1].default_value().value_or(c10::IValue())
                                                        : value(description_.arguments[i], inputs[i]));
    return out;
  }

  c10::IValue value(const Argument& argument, const InputValue& input) const {
    if (argument.kind == Argument::Kind::kTexts) {
      c10::List<std::string> texts;
      texts.reserve(input.texts.size());
      for (const std::string_view text : input.texts) texts.push_back(std::string(text));
      return texts;
    }
    if (argument.kind != Argument::Kind::kNumber) return tensor(input);
    const at::Scalar number = borrow_tensor(input).item();
    return argument.dtype == MM_BOOL    ? c10::IValue(number.toBool())
           : argument.dtype == MM_INT64 ? c10::IValue(number.toLong())
                                        : c10::IValue(number.toDouble());
  }

  at::Tensor tensor(const InputValue& input) const {
    return copies_inputs_ ? borrow_tensor(input).clone() : borrow_tensor(input);
  }

  jit::Module module_;
  Description description_;
  bool copies_inputs_ = true;
  std::mutex state_mutex_;  // of what module_ keeps, where it changes
};

}  // namespace

std::unique_ptr<BridgeModel> load_script(const std::string& file) {
  return translated("file '" + file + "' can't be loaded", [&] { return std::make_unique<Script>(file); });
}

}  // namespace modelmill::pytorch
