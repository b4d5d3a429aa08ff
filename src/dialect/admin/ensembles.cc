#include "dialect/admin/ensembles.h"

namespace modelmill::admin {
namespace {

using enum wire::ApiGroup;

constexpr Action kEnsembleActions[] = {
    {"GET", "/admin/ensembles", kMetadata,
     [](const Controls& controls, const ActionCall&) { return controls.weights.list(); }},
    {"GET", "/admin/ensembles/{ensemble}", kMetadata,
     [](const Controls& controls, const ActionCall& call) { return controls.weights.show(call.names[0]); }},
    {"POST", "/admin/ensembles/{ensemble}/feedback", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.weights.feedback(call.names[0], call.body.view());
     }},
    {"POST", "/admin/ensembles/{ensemble}/weights", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.weights.set(call.names[0], call.body.view(), call.by);
     }},
    {"POST", "/admin/ensembles/{ensemble}/freeze", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.weights.freeze(call.names[0], true, call.by);
     }},
    {"POST", "/admin/ensembles/{ensemble}/unfreeze", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.weights.freeze(call.names[0], false, call.by);
     }},
    {"POST", "/admin/ensembles/{ensemble}/reset", kManagement,
     [](const Controls& controls, const ActionCall& call) { return controls.weights.reset(call.names[0], call.by); }},
};

}  // namespace

std::span<const Action> ensemble_actions() { return kEnsembleActions; }

}  // namespace modelmill::admin
