//! `NodeService.Exec`: starting a command that is counted for its caller.

use netlab_proto::v1 as proto;
use tonic::{Code, Status};

use super::NodeApi;
use crate::{
    api::{caller::command_line, exec, status},
    clock,
    model::{Lab, LabName, NodeName, Place},
    platform::errno_of,
    policy::{Access, Held, Owner, Session},
    sandbox::Child,
};

impl NodeApi {
    /// Starts a command in a node.
    async fn start(&self, lab: &Lab, start: proto::ExecStart) -> Result<Child, Status> {
        let node: NodeName = start
            .node
            .parse()
            .map_err(|error| status::invalid("start.node", format!("{:?} {error}", start.node)))?;
        self.namespace(&lab.name, &Place::Node(node.clone()))?;
        let command = exec::command(start, lab.hosts_file(&node))?;
        let first_id = self.manager.first_id(&lab.name)?;
        let (kernel, name) = (self.kernel.clone(), lab.name.clone());
        let limits = self.policy.config().lab.into();
        let child = tokio::task::spawn_blocking(move || kernel.run(&name, &node, first_id, limits, command))
            .await
            .map_err(|_| status::status(Code::Internal, "CRASHED", "the command crashed the request"))?
            .map_err(crate::reconcile::Error::from)?;
        Ok(child)
    }

    /// Starts a command and counts it for its caller; one that runs on without a client is kept in mind.
    pub(super) async fn start_counted(
        &self,
        access: &Access,
        start: proto::ExecStart,
    ) -> Result<(Child, Held<(Owner, Session)>), Status> {
        let lab = self.lab(&start.lab, access)?;
        let session = self.policy.begin(access, Session::Exec)?;
        let noted = start.detach.then(|| proto::DetachedCommand {
            node: start.node.clone(),
            args: start.args.clone(),
            start_time: Some(clock::now()),
            uid: access.caller().owner.uid(),
            owner: access.caller().owner.name(),
            ..proto::DetachedCommand::default()
        });
        let _starting =
            if start.detach { Some(self.room_for_detached(access, &lab.name).await?) } else { None };
        let child = self.start(&lab, start).await?;
        if let Some(noted) = noted {
            let command = proto::DetachedCommand { pid: child.pid(), ..noted };
            if let Err(error) = self.kernel.note_detached(&lab.name, &child, &command) {
                // It would count for nobody. Ended already: nothing happens.
                child.signal(libc::SIGKILL).unwrap_or_default();
                let message = format!(
                    "{} cannot be noted and was ended: {error}; make room in netlabd's runtime directory",
                    command_line(&command.args)
                );
                return Err(status::by_kernel(message, errno_of(&error)));
            }
        }
        Ok((child, session))
    }

    /// Counts a command that is to run on without a client. Those that run are known by their notes, which outlive
    /// netlabd; what is answered counts one that has none yet.
    async fn room_for_detached(
        &self,
        access: &Access,
        lab: &LabName,
    ) -> Result<Held<(Owner, Session)>, Status> {
        let starting = self.policy.begin(access, Session::Detached)?;
        let others = self.policy.under_way_of(access, Session::Detached).saturating_sub(1);
        let (kernel, lab) = (self.kernel.clone(), lab.clone());
        let owner = access.caller().owner.clone();
        let labs = self.manager.labs_of(&owner);
        let count = move || {
            let (uid, name) = (owner.uid(), owner.name());
            let own = |command: &proto::DetachedCommand| command.uid == uid && command.owner == name;
            let all = labs.iter().flat_map(|lab| kernel.detached(lab)).filter(own);
            (all.count() as u64, kernel.detached(&lab).len() as u64)
        };
        let (own, in_lab) = tokio::task::spawn_blocking(count)
            .await
            .map_err(|_| status::status(Code::Internal, "CRASHED", "counting commands crashed"))?;
        access.room_for_detached(own + others, in_lab + others)?;
        Ok(starting)
    }
}
