#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace modelmill::tensorflow {

/// What an operator may keep when its run is over. A variable that is assigned shares the memory of what it gets, and a
/// queue holds it: both are state, which the next run finds.
enum class Keeps { kNothing, kInputs, kState };

/// What the operators of the library keep: those with state, or with a handle of something that has it, but for the
/// well-known ones that only read. Immutable.
class KeeperOps {
 public:
  /// `op_list`: a serialized OpList, as TF_GetAllOpList gives it.
  explicit KeeperOps(std::string_view op_list);

  /// An operator that is not in the list may do anything.
  Keeps of(std::string_view op) const;

 private:
  std::unordered_map<std::string, Keeps> keeps_;
};

/// Operators that keep something, by name; empty when there is none.
struct Keepers {
  std::string of_inputs, of_state;
};

/// The first of each kind among those that the outputs depend on, functions included. `graph`: a serialized GraphDef;
/// `outputs`: names of nodes or tensors ("net/out:0"). Of a graph that can't be read the worst is said.
Keepers find_keepers(std::string_view graph, const std::vector<std::string>& outputs, const KeeperOps& ops);

}  // namespace modelmill::tensorflow
