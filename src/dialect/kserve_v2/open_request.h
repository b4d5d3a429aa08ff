#pragma once

#include <simdjson.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "dialect/number_arrays.h"
#include "request/open_parameter.h"
#include "request/parameters.h"

namespace modelmill::kserve_v2 {

/// Puts the JSON object of kOpenRequest together while a request is read:
///   {"headers": {...}, "parameters": {...}, "inputs": {"x": {...}}, "outputs": {"y": {...}}, "shapes": {"x": [...]},
///    "json": true, "stream": true}
/// Parameters are as the client wrote them, but for those that say where a tensor's data is; tensors without any are
/// left out, and so is what is false. Not synchronised.
class OpenRequest {
 public:
  /// A set of parameters, one by one.
  class Members {
   public:
    /// Members of an object of the client's. `apart`: what was set aside of its text, or null.
    void add(simdjson::dom::object object, const NumberArrays* apart);
    void add(std::string_view name, const ParameterValue& value);
    bool empty() const { return json_.text().empty(); }

   private:
    friend class OpenRequest;
    JsonWriter json_;
  };

  void set_parameters(Members parameters) { parameters_ = std::move(parameters); }
  void add_input(std::string_view name, Members parameters);
  void add_output(std::string_view name, Members parameters);
  /// The shape that the client wrote for an input that has another.
  void add_shape(std::string_view name, std::span<const int64_t> shape);
  /// Its tensors' values were in its JSON.
  void set_json() { json_ = true; }
  /// The model that is asked first is of another signature, and what is sent must be as such models want it: this is
  /// for one that a route falls back to.
  void set_strict() { strict_ = true; }
  /// What only code with an open signature takes is read.
  bool is_lenient() const { return !strict_; }
  /// Its client takes any number of answers.
  void set_stream() { stream_ = true; }

  /// The text. `headers`: of the request, names in small letters; of several of one name the last counts.
  template <typename Headers>
  std::string text(const Headers& headers) const {
    JsonWriter names;
    names.begin_object();
    for (const auto& [name, value] : headers) names.field(name, value);
    return text_with(names.end_object().text());
  }

 private:
  std::string text_with(std::string_view headers) const;

  Members parameters_;
  std::vector<std::pair<std::string, Members>> inputs_, outputs_;
  JsonWriter shapes_;  // members
  bool json_ = false;
  bool stream_ = false;
  bool strict_ = false;
};

}  // namespace modelmill::kserve_v2
