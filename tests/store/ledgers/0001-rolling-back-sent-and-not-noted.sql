-- A ledger of schema 0001 as kubemend f0be8a3 left it when it died: rolling back, sent and not noted.
-- The Deployment as it was in the cluster at that moment:
-- {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "shop", "uid": "87245e88-a3b0-4b8a-9f4d-19c093602857", "creationTimestamp": "2026-11-21T11:42:57Z", "annotations": {"deployment.kubernetes.io/revision": "2"}, "generation": 3, "managedFields": [{"manager": "kubemend", "operation": "Update", "apiVersion": "apps/v1", "time": "2026-11-21T11:43:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:annotations": {}}, "f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}}}}}}], "resourceVersion": "84"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "registry.lab/web:1.0", "env": [{"name": "MODE", "value": "fast"}], "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent"}], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler"}}, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}, "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1, "conditions": [{"type": "Available", "status": "True", "lastUpdateTime": "2026-11-21T11:42:58Z", "lastTransitionTime": "2026-11-21T11:42:58Z", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."}, {"type": "Progressing", "status": "True", "lastUpdateTime": "2026-11-21T11:42:59Z", "lastTransitionTime": "2026-11-21T11:42:57Z", "reason": "ReplicaSetUpdated", "message": "ReplicaSet \"web-msnntbvfvt\" is progressing."}]}}
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE approvals (
	id INTEGER NOT NULL, 
	repair VARCHAR(16) NOT NULL, 
	plan_hash VARCHAR(64) NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	given_at FLOAT NOT NULL, 
	expires_at FLOAT NOT NULL, 
	used_at FLOAT, 
	PRIMARY KEY (id)
);
CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	cluster VARCHAR(253) NOT NULL, 
	repair VARCHAR(16) NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	detail TEXT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "audit" VALUES(1,1.79526137920181512834e+09,'practice','rfa8faaa5','ann','proposed','{"code":"KM103","hash":"2f7968195998866145a88db934e7d1f115dde9fe3ba6e63177fe7f1dd75c0902","strategy":"earlier","target":"Deployment shop/web"}','816b30f23284a223c0030e6dec6c5f116e4faab627b15efdd3f5acbae80ac895');
INSERT INTO "audit" VALUES(2,1.79526137953288531306e+09,'practice','rfa8faaa5','ann','transition','{"from":"proposed","to":"preflight","why":"checks begin"}','18664b028d39ec2f927b6a8e6f547185f3de0abf13864995c7c3dc4297f8562d');
INSERT INTO "audit" VALUES(3,1.79526137965579104423e+09,'practice','rfa8faaa5','kubemend','transition','{"from":"preflight","to":"snapshotted","why":"all checks passed; prior objects stored"}','3c137fe7fd892b89fbfa3c172b638a0be6cf00adf77a13b0592f92096a9e72c4');
INSERT INTO "audit" VALUES(4,1.7952613796598057747e+09,'practice','rfa8faaa5','kubemend','transition','{"from":"snapshotted","to":"applying","why":"1 change(s)"}','0213ab00ad73dc65f91e7d835c949db6975f0f774a9d18cafaa469a90b6f74f3');
INSERT INTO "audit" VALUES(5,1.79526137967546463008e+09,'practice','rfa8faaa5','ann','intent','{"change":{"body":{"spec":{"template":{"spec":{"containers":[{"image":"registry.lab/web:1.x","name":"app"}]}}}},"kind":"strategic","op":"patch","target":{"group":"apps","kind":"Deployment","name":"web","namespace":"shop"},"uid":"87245e88-a3b0-4b8a-9f4d-19c093602857"},"resourceVersion":"55","uid":"87245e88-a3b0-4b8a-9f4d-19c093602857","what":"apply"}','2b9f1e86213ee217fcac26a56ad53acf67f1cd180c27e958138fa87e719f63fb');
INSERT INTO "audit" VALUES(6,1.79526137985669279094e+09,'practice','rfa8faaa5','ann','outcome','{"change":0,"result":"ok"}','fac2632a309e54e5cfa26bdcfc15261ff557ad14e35f63f37f6a5347b120e26a');
INSERT INTO "audit" VALUES(7,1.7952613800019402504e+09,'practice','rfa8faaa5','kubemend','transition','{"from":"applying","to":"verifying","why":"all changes made"}','c2ece259486302403e11ceece60ad740568b51d17ea2b891caad7f57fc17640b');
INSERT INTO "audit" VALUES(8,1.79526138041080904001e+09,'practice','rfa8faaa5','kubemend','transition','{"from":"verifying","to":"rolling_back","why":"verification failed: a pod made by the repair shows KM103: container ''app'' can''t get image ''registry.lab/web:1.x'': its registry has no such image or tag"}','c60cc0920d7d319c7d1f8422a93bdabab02c3e69a15e25231529a540570e9e75');
INSERT INTO "audit" VALUES(9,1.79526138041960763936e+09,'practice','rfa8faaa5','ann','intent','{"change":{"body":{"spec":{"template":{"spec":{"containers":[{"image":"registry.lab/web:1.x","name":"app"}]}}}},"kind":"strategic","op":"patch","target":{"group":"apps","kind":"Deployment","name":"web","namespace":"shop"},"uid":"87245e88-a3b0-4b8a-9f4d-19c093602857"},"resourceVersion":"67","uid":"87245e88-a3b0-4b8a-9f4d-19c093602857","what":"undo"}','964e214a38ad573d6a2d25b5f9ae6d684cc2327555cc1b7569fcafd09fc78019');
CREATE TABLE holds (
	cluster VARCHAR(253) NOT NULL, 
	object VARCHAR(600) NOT NULL, 
	repair VARCHAR(16) NOT NULL, 
	PRIMARY KEY (cluster, object)
);
INSERT INTO "holds" VALUES('practice','Deployment shop/web','rfa8faaa5');
CREATE TABLE incidents (
	id VARCHAR(16) NOT NULL, 
	cluster VARCHAR(253) NOT NULL, 
	fingerprint VARCHAR(12) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	title TEXT NOT NULL, 
	subject VARCHAR(600) NOT NULL, 
	namespace VARCHAR(253) NOT NULL, 
	phase VARCHAR(12) NOT NULL, 
	message TEXT NOT NULL, 
	opened_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	resolved_at FLOAT, 
	reopened INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE repairs (
	id VARCHAR(16) NOT NULL, 
	cluster VARCHAR(253) NOT NULL, 
	namespace VARCHAR(253) NOT NULL, 
	target VARCHAR(600) NOT NULL, 
	fingerprint VARCHAR(12) NOT NULL, 
	incident VARCHAR(16) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	"plan" TEXT NOT NULL, 
	plan_hash VARCHAR(64) NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	why TEXT NOT NULL, 
	steps TEXT NOT NULL, 
	baseline TEXT NOT NULL, 
	undo BOOLEAN NOT NULL, 
	holder VARCHAR(300) NOT NULL, 
	heartbeat FLOAT NOT NULL, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	started_at FLOAT, 
	PRIMARY KEY (id)
);
INSERT INTO "repairs" VALUES('rfa8faaa5','practice','shop','Deployment shop/web','aaaaaaaaaaaa','i1','rolling_back','{"strategy":"earlier","code":"KM103","fingerprint":"aaaaaaaaaaaa","target":{"kind":"Deployment","namespace":"shop","name":"web","group":"apps"},"changes":[{"op":"patch","target":{"kind":"Deployment","namespace":"shop","name":"web","group":"apps"},"uid":"87245e88-a3b0-4b8a-9f4d-19c093602857","body":{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.lab/web:1.x"}]}}}},"kind":"strategic"}],"reason":"an earlier program''s plan","risk":1,"confidence":0.9,"verify":{"healthy":[{"kind":"Deployment","namespace":"shop","name":"web","group":"apps"}],"within_s":6,"steady_s":0.3,"gone":false},"requires":[]}','2f7968195998866145a88db934e7d1f115dde9fe3ba6e63177fe7f1dd75c0902','ann','verification failed: a pod made by the repair shows KM103: container ''app'' can''t get image ''registry.lab/web:1.x'': its registry has no such image or tag','[{"before":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"shop","uid":"87245e88-a3b0-4b8a-9f4d-19c093602857","creationTimestamp":"2026-11-21T11:42:57Z","annotations":{"deployment.kubernetes.io/revision":"1"},"generation":1,"resourceVersion":"55"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"registry.lab/web:1.0","env":[{"name":"MODE","value":"fast"}],"resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[{"type":"Available","status":"True","lastUpdateTime":"2026-11-21T11:42:58Z","lastTransitionTime":"2026-11-21T11:42:58Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."},{"type":"Progressing","status":"True","lastUpdateTime":"2026-11-21T11:42:58Z","lastTransitionTime":"2026-11-21T11:42:57Z","reason":"NewReplicaSetAvailable","message":"ReplicaSet \"web-99m7rpgd9c\" has successfully progressed."}]}},"after":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"shop","uid":"87245e88-a3b0-4b8a-9f4d-19c093602857","creationTimestamp":"2026-11-21T11:42:57Z","annotations":{"deployment.kubernetes.io/revision":"1","kubemend.dev/repair":"rfa8faaa5"},"generation":2,"managedFields":[{"manager":"kubemend","operation":"Update","apiVersion":"apps/v1","time":"2026-11-21T11:42:59Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{"f:kubemend.dev/repair":{}}},"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{"f:image":{}}}}}}}}],"resourceVersion":"59"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"registry.lab/web:1.x","env":[{"name":"MODE","value":"fast"}],"resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[{"type":"Available","status":"True","lastUpdateTime":"2026-11-21T11:42:58Z","lastTransitionTime":"2026-11-21T11:42:58Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."},{"type":"Progressing","status":"True","lastUpdateTime":"2026-11-21T11:42:58Z","lastTransitionTime":"2026-11-21T11:42:57Z","reason":"NewReplicaSetAvailable","message":"ReplicaSet \"web-99m7rpgd9c\" has successfully progressed."}]}},"undone":false}]','{"faults":[],"pods":["471265d7-61dc-41d2-8f4e-61f15d77d0b5"]}',0,'vm:8761:948f874b',1.79526138041960763936e+09,1.79526137920181512834e+09,1.79526138041080904001e+09,1.79526137949245357511e+09);
CREATE TABLE switches (
	name VARCHAR(60) NOT NULL, 
	"on" BOOLEAN NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	why TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE INDEX repairs_by_state ON repairs (cluster, state);
CREATE INDEX repairs_by_start ON repairs (cluster, started_at);
CREATE INDEX repairs_by_fault ON repairs (cluster, fingerprint);
CREATE INDEX repairs_by_target ON repairs (cluster, target);
CREATE INDEX repairs_by_plan ON repairs (cluster, plan_hash);
CREATE INDEX ix_approvals_repair ON approvals (repair);
CREATE UNIQUE INDEX incidents_by_fingerprint ON incidents (cluster, fingerprint);
CREATE INDEX ix_audit_repair ON audit (repair);
