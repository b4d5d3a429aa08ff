#include "dialect/admin/rollouts.h"

namespace modelmill::admin {
namespace {

using enum wire::ApiGroup;

template <RolloutAction kAction>
Result<std::string> act(const Controls& controls, const ActionCall& call) {
  return controls.rollouts.act(call.names[0], kAction, call.by);
}

constexpr Action kActions[] = {
    {"GET", "/admin/rollouts", kMetadata,
     [](const Controls& controls, const ActionCall&) { return controls.rollouts.list(); }},
    {"GET", "/admin/rollouts/{rollout}", kMetadata,
     [](const Controls& controls, const ActionCall& call) { return controls.rollouts.show(call.names[0]); }},
    {"POST", "/admin/rollouts/{rollout}", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.rollouts.start(call.names[0], call.body.view(), call.by);
     }},
    {"GET", "/admin/rollouts/{rollout}/history", kMetadata,
     [](const Controls& controls, const ActionCall& call) { return controls.rollouts.history(call.names[0]); }},
    {"POST", "/admin/rollouts/{rollout}/pause", kManagement, act<RolloutAction::kPause>},
    {"POST", "/admin/rollouts/{rollout}/resume", kManagement, act<RolloutAction::kResume>},
    {"POST", "/admin/rollouts/{rollout}/abort", kManagement, act<RolloutAction::kAbort>},
    {"POST", "/admin/rollouts/{rollout}/promote", kManagement, act<RolloutAction::kPromote>},
};

}  // namespace

std::span<const Action> rollout_actions() { return kActions; }

}  // namespace modelmill::admin
