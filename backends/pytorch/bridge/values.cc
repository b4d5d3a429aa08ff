#include "values.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/runtime/jit_exception.h>

namespace modelmill::pytorch {
namespace {

using backend::Error;

struct TypePair {
  mm_dtype ours;
  at::ScalarType theirs;
};
constexpr TypePair kTypes[] = {{MM_BOOL, at::kBool},     {MM_UINT8, at::kByte},    {MM_UINT16, at::kUInt16},
                               {MM_UINT32, at::kUInt32}, {MM_UINT64, at::kUInt64}, {MM_INT8, at::kChar},
                               {MM_INT16, at::kShort},   {MM_INT32, at::kInt},     {MM_INT64, at::kLong},
                               {MM_FP16, at::kHalf},     {MM_FP32, at::kFloat},    {MM_FP64, at::kDouble},
                               {MM_BF16, at::kBFloat16}};

at::ScalarType to_torch(mm_dtype type) {
  for (const TypePair& pair : kTypes)
    if (pair.ours == type) return pair.theirs;
  throw Error(MM_INVALID_ARGUMENT, std::string("torch has no tensors of type ") + backend::dtype_name(type));
}

/// What went wrong, of a traceback of TorchScript or of a plain message.
std::string last_words(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  constexpr std::string_view kMark = "RuntimeError: ";
  if (const size_t at = text.rfind(kMark); at != std::string::npos) text.erase(0, at + kMark.size());
  constexpr size_t kMost = 2000;
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

}  // namespace

mm_dtype from_torch(at::ScalarType type) {
  for (const TypePair& pair : kTypes)
    if (pair.theirs == type) return pair.ours;
  return MM_DTYPE_INVALID;
}

at::Tensor borrow_tensor(const InputValue& input) {
  const at::TensorOptions options(to_torch(input.dtype));
  const at::IntArrayRef sizes(input.shape.data(), input.shape.size());
  return at::from_blob(const_cast<void*>(input.data), sizes, options);
}

void TorchOutputs::add_tensor(const std::string& key, const at::Tensor& given) {
  if (!given.defined()) throw Error(MM_INTERNAL, "the model answered with a tensor that has no value");
  const mm_dtype dtype = from_torch(given.scalar_type());
  if (dtype == MM_DTYPE_INVALID || given.layout() != at::kStrided || given.is_quantized())
    throw Error(MM_UNIMPLEMENTED, "the model answered with a tensor of " + std::string(toString(given.scalar_type())) +
                                      " that is not plain numbers; answer with a dense tensor of another type");
  if (given.dim() > static_cast<int64_t>(backend::kMaxRank))
    throw Error(MM_INTERNAL, "the model answered with a tensor of more than 32 dimensions");
  const at::Tensor& tensor = tensors_.emplace_back(given.cpu().resolve_neg().contiguous());
  OutputValue& out = values.emplace_back();
  out.key = key;
  out.dtype = dtype;
  out.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
  out.data = tensor.numel() > 0 ? tensor.const_data_ptr() : nullptr;
  // What torch allocated itself for this run; an input's memory, and weights read from a file, are freed otherwise.
  out.lendable = lend_ && tensor.storage().data_ptr().get_deleter() == at::getCPUAllocator()->raw_deleter();
}

void TorchOutputs::add_list(const std::string& key, const c10::IValue& value) {
  const auto list = value.toListRef();
  if (value.toList().elementType()->kind() != c10::TypeKind::StringType) {
    for (const c10::IValue& item : list) add(list.size() == 1 ? key : std::string(), item);
    return;
  }
  OutputValue& out = values.emplace_back();
  out.key = key;
  out.dtype = MM_STRING;
  out.shape = {static_cast<int64_t>(list.size())};
  for (const c10::IValue& item : list) {
    out.offsets.push_back(out.bytes.size());
    out.bytes += item.toStringRef();
  }
  out.offsets.push_back(out.bytes.size());
}

void TorchOutputs::add_tuple(const std::string& key, const c10::IValue& value) {
  const auto& items = value.toTupleRef().elements();
  const auto type = value.type()->cast<c10::TupleType>();
  const auto names = type ? type->names() : std::nullopt;
  for (size_t i = 0; i < items.size(); ++i)
    add(names ? std::string((*names)[i]) : items.size() == 1 ? key : std::string(), items[i]);
}

void TorchOutputs::add(const std::string& key, const c10::IValue& value) {
  if (value.isTensor()) return add_tensor(key, value.toTensor());
  if (value.isTuple()) return add_tuple(key, value);
  if (value.isList()) return add_list(key, value);
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict())
      add(entry.key().isString() ? entry.key().toStringRef() : std::string(), entry.value());
    return;
  }
  if (value.isInt()) return add_tensor(key, at::scalar_tensor(value.toInt(), at::kLong));
  if (value.isDouble()) return add_tensor(key, at::scalar_tensor(value.toDouble(), at::kDouble));
  if (value.isBool()) return add_tensor(key, at::scalar_tensor(value.toBool(), at::kBool));
  throw Error(MM_UNIMPLEMENTED, "the model answered with a value of type " + value.tagKind() +
                                    ": it must be a tensor, a list of strings, or a tuple, list or dictionary of them");
}

void use_threads(int count) {
  // Torch keeps the number for each thread that calls it, and sets it for threads that come later besides.
  if (at::get_num_threads() != count) at::set_num_threads(count);
}

void rethrow_as_error(const std::string& context) {
  const std::string begin = context.empty() ? "PyTorch: " : context + ": ";
  try {
    throw;
  } catch (const Error& e) {
    throw Error(e.code(), (context.empty() ? "" : begin) + e.what());
  } catch (const c10::OutOfMemoryError& e) {
    throw Error(MM_RESOURCE_EXHAUSTED, begin + last_words(e.what_without_backtrace()));
  } catch (const c10::IndexError& e) {
    throw Error(MM_INVALID_ARGUMENT, begin + last_words(e.what_without_backtrace()));
  } catch (const c10::ValueError& e) {
    throw Error(MM_INVALID_ARGUMENT, begin + last_words(e.what_without_backtrace()));
  } catch (const c10::Error& e) {
    throw Error(MM_INTERNAL, begin + last_words(e.what_without_backtrace()));
  } catch (const torch::jit::JITException& e) {
    // A `raise` of the model's author: about what the client sent.
    std::string kind = e.getPythonClassName().value_or("");
    if (constexpr std::string_view kOfPython = "builtins."; kind.starts_with(kOfPython))
      kind.erase(0, kOfPython.size());
    throw Error(MM_INVALID_ARGUMENT,
                begin + (kind.empty() ? "" : kind + ": ") + last_words(e.getOriginalMsg().value_or(e.what())));
  } catch (const std::bad_alloc&) {
    throw Error(MM_RESOURCE_EXHAUSTED, begin + "out of memory");
  } catch (const std::exception& e) {
    throw Error(MM_INTERNAL, begin + last_words(e.what()));
  }
}

}  // namespace modelmill::pytorch
