package playbook

import "trio/ranking"

// This file holds what a company starts with beside ranking's rules: sample pieces of content, which it replaces by its
// own, and a newcomer's first 90 days in direct selling. What may be said there: what to do today, how, and why it helps.
// What may not: what anybody will earn, how fast, and what happens to those who do less.

func both(en, es string) ranking.Texts {
	return ranking.Texts{{Lang: "en", Text: en}, {Lang: "es", Text: es}}
}

func suits(ts ...ranking.TriggerID) (set uint64) {
	for _, t := range ts {
		set |= 1 << t
	}
	return set
}

const samples = "https://www.example.com/"

func samplePieces() []Piece {
	lesson := func(name string, minutes int32, en, es, aboutEN, aboutES string) Piece {
		return Piece{Name: "lesson-" + name, Kind: Lesson, Title: both(en, es), Summary: both(aboutEN, aboutES), URL: samples + "lessons/" + name, Minutes: minutes}
	}
	return []Piece{
		{
			Name: "why-it-works", Kind: Article, Title: both("What is in it, and why", "Qué lleva y por qué"),
			Summary: both("Our main product in plain words: what it is made of and how people use it.", "Nuestro producto principal en palabras sencillas: de qué está hecho y cómo se usa."),
			URL:     samples + "articles/why-it-works", Minutes: 4, Share: true, Triggers: suits(ranking.Nurture, ranking.NextStep, ranking.Watched),
		},
		{
			Name: "morning-routine", Kind: Article, Title: both("Five minutes in the morning", "Cinco minutos por la mañana"),
			Summary: both("A small routine that friends like to pass on, with or without our products.", "Una pequeña rutina que gusta compartir, con o sin nuestros productos."),
			URL:     samples + "articles/morning-routine", Minutes: 3, Share: true, Triggers: suits(ranking.Nurture, ranking.FirstOrder, ranking.CheckIn),
		},
		{
			Name: "ines-and-her-kitchen", Kind: Testimony, Title: both("Ines and her kitchen", "Inés y su cocina"),
			Summary: both("A customer tells us what changed at home, and what did not.", "Una clienta cuenta qué cambió en su casa, y qué no."),
			URL:     samples + "stories/ines", Minutes: 2, Share: true, Triggers: suits(ranking.NextStep, ranking.Nurture, ranking.Lapsed),
		},
		{
			Name: "how-sam-began", Kind: Story, Title: both("How Sam began", "Cómo empezó Sam"),
			Summary: both("A promoter's first weeks beside a job: the first calls, the first no, the first customer.", "Las primeras semanas de un promotor que también tiene trabajo: las primeras llamadas, el primer no, el primer cliente."),
			URL:     samples + "stories/sam", Minutes: 5, Share: true, Triggers: suits(ranking.WebinarFollow, ranking.AskPromote),
		},
		{
			Name: "overview-video", Kind: Video, Title: both("The overview in twelve minutes", "La presentación en doce minutos"),
			Summary: both("Who we are, what we make and how people take part.", "Quiénes somos, qué hacemos y cómo se participa."),
			URL:     samples + "videos/overview", Minutes: 12, Share: true, Triggers: suits(ranking.NextStep, ranking.WebinarAbsent, ranking.NewLead),
		},
		{
			Name: "overview-webinar", Kind: Webinar, Title: both("The overview, live", "La presentación, en vivo"),
			Summary: both("Half an hour with questions, camera off. Dates are on the page.", "Media hora con preguntas y la cámara apagada. Las fechas están en la página."),
			URL:     samples + "webinar", Minutes: 30, Share: true, Triggers: suits(ranking.NextStep, ranking.WebinarAbsent),
		},
		{
			Name: "say-hello", Kind: Page, Title: both("Say hello", "Salúdame"),
			Summary: both("Your own page with a short form for people who want to know more.", "Tu propia página con un formulario corto para quien quiera saber más."),
			URL:     samples + "hello", Share: true,
		},
		{
			Name: "first-steps", Kind: Video, Title: both("Getting the most out of your first order", "Cómo aprovechar tu primer pedido"),
			Summary: both("What to open first, how much to take, what to expect in the first week.", "Qué abrir primero, cuánto usar y qué esperar la primera semana."),
			URL:     samples + "videos/first-steps", Minutes: 4, Triggers: suits(ranking.FirstOrder, ranking.RefillDue),
		},
		lesson("your-list", 6, "Your first list", "Tu primera lista",
			"Whom you know already, and why nobody has to be talked into anything.", "A quién conoces ya, y por qué no hay que convencer a nadie de nada."),
		lesson("your-story", 8, "Your story in a minute", "Tu historia en un minuto",
			"Why you began, in your own words and without promises.", "Por qué empezaste, con tus propias palabras y sin promesas."),
		lesson("first-call", 7, "The first call", "La primera llamada",
			"Three sentences to begin with, and when to hang up.", "Tres frases para empezar y cuándo despedirse."),
		lesson("listening", 9, "Ask twice, tell once", "Pregunta dos veces, cuenta una",
			"Why a good question does more than a good answer.", "Por qué una buena pregunta logra más que una buena respuesta."),
		lesson("what-we-say", 10, "What we say, and what we do not", "Qué decimos y qué no",
			"Claims about health and income: what is true, what is allowed, what to leave out.", "Lo que se dice de salud y de ingresos: qué es verdad, qué está permitido y qué se deja fuera."),
		lesson("follow-up", 8, "Following up without pushing", "Dar seguimiento sin presionar",
			"When, how often, and how to make a no easy.", "Cuándo, cuántas veces y cómo facilitar un no."),
		lesson("asking", 8, "Asking for the order", "Proponer el pedido",
			"One plain question, and then silence.", "Una pregunta sencilla y después silencio."),
		lesson("a-no", 6, "A no is an answer", "Un no es una respuesta",
			"How to say thank you for it, and what comes next.", "Cómo agradecerlo y qué viene después."),
		lesson("after-the-order", 7, "After the first order", "Después del primer pedido",
			"The week that decides whether a customer comes back.", "La semana que decide si un cliente vuelve."),
		lesson("hosting", 12, "Hosting a small presentation", "Una presentación pequeña",
			"Three guests, half an hour, no slides.", "Tres invitados, media hora, sin diapositivas."),
		lesson("an-event", 9, "A day at an event", "Un día en un evento",
			"How to meet people and remember whom you met.", "Cómo conocer gente y recordar a quién conociste."),
		lesson("bringing-somebody-in", 10, "Beside somebody new", "Al lado de alguien nuevo",
			"The first week of a person whom you brought in.", "La primera semana de alguien a quien tú invitaste."),
	}
}

func firstDays() Newcomer {
	targets := func(outreach, followup, learn, share int32) (t []Target) {
		for _, o := range [...]Target{{"outreach", outreach}, {"followup", followup}, {"learn", learn}, {"share", share}} {
			if o.Daily > 0 {
				t = append(t, o)
			}
		}
		return t
	}
	do := func(day int32, metric, piece, en, es, howEN, howES string) Step {
		return Step{Day: day, Kind: DoStep, Title: both(en, es), Words: both(howEN, howES), Metric: metric, Piece: piece}
	}
	learn := func(day int32, lesson, en, es, howEN, howES string) Step {
		return Step{Day: day, Kind: LearnStep, Title: both(en, es), Words: both(howEN, howES), Metric: "learn", Piece: "lesson-" + lesson}
	}
	return Newcomer{
		Commitments: []Commitment{
			{1, targets(0, 0, 10, 0), both("Ten minutes of learning a day: the first days are for getting to know things.", "Diez minutos de aprendizaje al día: los primeros días son para conocerlo todo.")},
			{4, targets(1, 0, 10, 0), both("One person a day. One is enough to make a habit.", "Una persona al día. Una basta para crear un hábito.")},
			{8, targets(1, 1, 10, 0), both("One new conversation, and one that goes on.", "Una conversación nueva y una que continúa.")},
			{15, targets(2, 1, 10, 0), both("Two new conversations a day: you know how they begin now.", "Dos conversaciones nuevas al día: ya sabes cómo empiezan.")},
			{22, targets(2, 2, 10, 0), both("As many follow-ups as new ones: this is where trust grows.", "Tantos seguimientos como contactos nuevos: ahí crece la confianza.")},
			{31, targets(2, 2, 10, 1), both("Share one piece a day, so that people can come to you.", "Comparte una publicación al día, para que la gente llegue a ti.")},
			{46, targets(3, 3, 10, 1), both("Three and three. If a day is full, do the first three on your list.", "Tres y tres. Si el día está lleno, haz los tres primeros de tu lista.")},
			{61, targets(3, 4, 15, 1), both("A little more follow-up: your list has grown, and it is worth looking after.", "Un poco más de seguimiento: tu lista creció y vale la pena cuidarla.")},
			{76, targets(3, 5, 15, 1), both("A day's work of somebody who knows how. Keep what suits your life.", "El día de trabajo de quien ya sabe. Quédate con lo que va con tu vida.")},
		},
		Steps: []Step{
			do(1, "", "", "Write down why you are here", "Escribe por qué estás aquí",
				"One sentence, for yourself. On a slow day you will read it again.", "Una frase, para ti. La volverás a leer en un día lento."),
			learn(1, "what-we-say", "What we say, and what we do not", "Qué decimos y qué no",
				"Before you speak to anybody: ten minutes on what is true about our products and our business. Honest words are easier to say.", "Antes de hablar con nadie: diez minutos sobre lo que es verdad de nuestros productos y de nuestro negocio. Las palabras honestas se dicen más fácil."),
			learn(2, "your-list", "Make your first list", "Haz tu primera lista",
				"Put in twenty people whom you would greet in the street. Nobody is called today.", "Apunta veinte personas a las que saludarías por la calle. Hoy no se llama a nadie."),
			learn(3, "your-story", "Your story in a minute", "Tu historia en un minuto",
				"Say aloud why you began, three times, in front of the mirror or to a friend. Leave out every number.", "Di en voz alta por qué empezaste, tres veces, al espejo o a un amigo. Sin ninguna cifra."),
			do(4, "outreach", "", "Write to one person", "Escribe a una persona",
				"Pick the one who will be glad to hear from you whatever you do. Ask how they are. That is all for today.", "Elige a quien se alegrará de saber de ti hagas lo que hagas. Pregúntale cómo está. Eso es todo por hoy."),
			learn(5, "first-call", "The first call", "La primera llamada",
				"Seven minutes now, and you have your three sentences for tomorrow.", "Siete minutos ahora, y ya tienes tus tres frases para mañana."),
			do(6, "outreach", "", "Call one person", "Llama a una persona",
				"Say that you began something new and would like an honest opinion. Listen more than you speak.", "Cuenta que empezaste algo nuevo y que te gustaría una opinión sincera. Escucha más de lo que hablas."),
			do(7, "", "", "Look back on your week", "Repasa tu semana",
				"Whom did you enjoy talking to? Set a date for the next chat with each of them.", "¿Con quién disfrutaste hablar? Pon una fecha para la próxima charla con cada quien."),
			learn(8, "follow-up", "Following up without pushing", "Dar seguimiento sin presionar",
				"Most people need more than one conversation. Learn how the second one begins.", "La mayoría necesita más de una conversación. Aprende cómo empieza la segunda."),
			do(9, "followup", "", "Keep one promise", "Cumple una promesa",
				"Did you say that you would send something, or call again? Do it today.", "¿Dijiste que mandarías algo o que volverías a llamar? Hazlo hoy."),
			do(10, "outreach", "", "Greet somebody you have not seen in a year", "Saluda a alguien a quien no ves hace un año",
				"No product, no business: just the person. You will hear what is going on in their life.", "Sin producto ni negocio: solo la persona. Sabrás qué está pasando en su vida."),
			learn(11, "listening", "Ask twice, tell once", "Pregunta dos veces, cuenta una",
				"Choose two questions that feel like you, and try them in your next conversation.", "Elige dos preguntas que suenen a ti y pruébalas en tu próxima conversación."),
			do(12, "followup", "overview-video", "Send the overview to one person who asked", "Manda la presentación a quien preguntó",
				"Only to somebody who was curious. Say that it takes twelve minutes and that you will ask what they think.", "Solo a quien tuvo curiosidad. Di que dura doce minutos y que le preguntarás qué le parece."),
			learn(13, "a-no", "A no is an answer", "Un no es una respuesta",
				"You have heard one by now, or you will. Learn to say thank you for it, and mean it.", "Ya oíste uno, o lo oirás. Aprende a agradecerlo de verdad."),
			do(14, "", "", "Talk with your coach for ten minutes", "Habla diez minutos con tu mentor",
				"Say what went well and what felt odd. Two weeks are behind you.", "Cuenta qué salió bien y qué te resultó raro. Ya llevas dos semanas."),
			do(15, "outreach", "", "Two new conversations", "Dos conversaciones nuevas",
				"One of them with somebody you only know by sight: a neighbour, a parent from school.", "Una de ellas con alguien que solo conoces de vista: un vecino, un papá o una mamá de la escuela."),
			do(17, "followup", "", "Ask what they thought", "Pregunta qué les pareció",
				"Write to those who watched or read something of yours. One question: what stood out?", "Escribe a quienes vieron o leyeron algo tuyo. Una pregunta: ¿qué les llamó la atención?"),
			do(18, "share", "morning-routine", "Share your first piece", "Comparte tu primera publicación",
				"Choose one that you would have liked anyway, and add a sentence of your own.", "Elige una que te habría gustado de todos modos y añade una frase tuya."),
			learn(20, "asking", "Asking for the order", "Proponer el pedido",
				"One plain question and then silence. Practise it aloud until it sounds like you.", "Una pregunta sencilla y después silencio. Practícala en voz alta hasta que suene a ti."),
			do(21, "ask", "", "Ask one person plainly", "Pregunta con sencillez a una persona",
				"\"Would you like to try it?\" Whatever the answer is, say thank you for it.", "«¿Te gustaría probarlo?» Sea cual sea la respuesta, agradécela."),
			do(23, "followup", "", "Two people who went quiet", "Dos personas que no contestaron",
				"No reproach and no reminder. Ask how they are, and leave the door open.", "Sin reproche ni recordatorio. Pregunta cómo están y deja la puerta abierta."),
			learn(25, "after-the-order", "After the first order", "Después del primer pedido",
				"Be ready before the first parcel arrives: what helps somebody in the first week?", "Prepárate antes de que llegue el primer paquete: ¿qué ayuda a alguien la primera semana?"),
			do(27, "followup", "first-steps", "Help one customer to begin", "Ayuda a un cliente a empezar",
				"Ask whether everything arrived and send the short video. No customer yet? Use it yourself, and note what you would ask.", "Pregunta si llegó todo y manda el video corto. ¿Aún no tienes clientes? Pruébalo tú y apunta qué preguntarías."),
			do(30, "", "", "Look back on your month", "Repasa tu mes",
				"Look at your goal days with your coach. Choose one thing to keep and one to leave.", "Repasa tus días cumplidos con tu mentor. Elige una cosa que conservar y una que dejar."),
			do(31, "share", "say-hello", "Share your page", "Comparte tu página",
				"People who fill in the form want to hear from you. Call them on the same day.", "Quien llena el formulario quiere saber de ti. Llámale el mismo día."),
			do(34, "outreach", "", "Ask a friend whom else you should know", "Pregunta a un amigo a quién más deberías conocer",
				"\"Whom do you know who likes this kind of thing?\" Ask whether you may say who sent you.", "«¿A quién conoces que le gusten estas cosas?» Pregunta si puedes decir quién te lo recomendó."),
			learn(36, "hosting", "Hosting a small presentation", "Una presentación pequeña",
				"Three guests and half an hour. You only need to be yourself.", "Tres invitados y media hora. Solo hace falta que seas tú."),
			do(38, "followup", "overview-webinar", "Invite three people to listen in", "Invita a tres personas a escuchar",
				"They need no camera and don't have to speak. Tell them what they will hear.", "No hace falta cámara ni hablar. Cuéntales qué van a escuchar."),
			do(41, "present", "", "Present to one person", "Presenta a una persona",
				"At a kitchen table is best. Let your coach sit beside you if you like.", "Lo mejor es en la mesa de la cocina. Si quieres, que tu mentor se siente a tu lado."),
			do(44, "followup", "", "Everybody who watched something", "Todos los que vieron algo",
				"Your list knows who they are. A few words each, while it is fresh.", "Tu lista sabe quiénes son. Unas palabras a cada quien, mientras está fresco."),
			do(45, "", "", "Half of the first 90 days", "La mitad de los primeros 90 días",
				"Read again why you began. Is it still the reason? Write it anew if not.", "Lee otra vez por qué empezaste. ¿Sigue siendo la razón? Si no, escríbela de nuevo."),
			learn(47, "an-event", "A day at an event", "Un día en un evento",
				"Find one near you this month: a market, a fair, a school day.", "Busca uno cerca este mes: un mercado, una feria, un día en la escuela."),
			do(50, "ask", "", "Ask three people plainly this week", "Pregunta con sencillez a tres personas esta semana",
				"You know who is close. A plain question is kinder than another hint.", "Ya sabes quién está cerca. Una pregunta sencilla es más amable que otra indirecta."),
			do(53, "followup", "", "Thank every customer", "Da las gracias a cada cliente",
				"By name and for something true. Ask for nothing.", "Por su nombre y por algo verdadero. Sin pedir nada."),
			do(56, "event", "", "Meet five people at an event", "Conoce a cinco personas en un evento",
				"Note a word about each while you stand there. The follow-up is half done by then.", "Apunta una palabra de cada quien ahí mismo. Así el seguimiento está medio hecho."),
			do(58, "followup", "", "Write to those you met", "Escribe a quienes conociste",
				"Within two days, with the word that you noted.", "Antes de dos días, con la palabra que apuntaste."),
			do(60, "", "", "Look back on two months", "Repasa tus dos meses",
				"Which hour of the day worked best? Make it yours for the next month.", "¿Qué hora del día te funcionó mejor? Que sea la tuya el próximo mes."),
			learn(62, "listening", "Listening, once more", "Escuchar, otra vez",
				"You hear something else in this lesson now that you have talked to fifty people.", "Esta lección se oye distinta cuando ya hablaste con cincuenta personas."),
			do(65, "present", "", "Present to three people", "Presenta a tres personas",
				"Let somebody who uses the products tell their own story.", "Que alguien que usa los productos cuente su propia historia."),
			do(68, "followup", "", "Ask customers what they would change", "Pregunta a tus clientes qué cambiarían",
				"An honest complaint is a gift. Pass it on to the company.", "Una queja sincera es un regalo. Hazla llegar a la empresa."),
			learn(70, "bringing-somebody-in", "Beside somebody new", "Al lado de alguien nuevo",
				"Only for the day when somebody asks how to begin. Be the coach that you wished for.", "Solo para el día en que alguien pregunte cómo empezar. Sé el mentor que te habría gustado tener."),
			do(73, "share", "how-sam-began", "Share a story of beginning", "Comparte la historia de un comienzo",
				"And add yours in two sentences: what is true after ten weeks.", "Y añade la tuya en dos frases: lo que es verdad después de diez semanas."),
			do(76, "followup", "", "Call your five best customers", "Llama a tus cinco mejores clientes",
				"How are they getting on? Somebody may need a refill, and somebody may ask what you do.", "¿Cómo les va? Alguno querrá reponer y alguno preguntará qué haces."),
			learn(79, "what-we-say", "What we say, once more", "Qué decimos, otra vez",
				"You speak more freely now, so look once more at what is true and what is allowed.", "Ahora hablas con más soltura: vuelve a mirar qué es verdad y qué está permitido."),
			do(82, "outreach", "", "Five who have never heard of it", "Cinco que nunca han oído de esto",
				"Over this week, with the two questions that you like best.", "A lo largo de esta semana, con las dos preguntas que más te gustan."),
			do(85, "", "", "Teach one lesson", "Enseña una lección",
				"To somebody newer than you, in your own words. You will see how much you know.", "A alguien más nuevo que tú, con tus propias palabras. Verás cuánto sabes."),
			do(88, "followup", "", "Clear your list", "Ordena tu lista",
				"Who wants to hear from you, who does not? Let people go with thanks.", "¿Quién quiere saber de ti y quién no? A quien no, agradécele y déjale ir."),
			do(90, "", "", "Choose your own pace", "Elige tu propio ritmo",
				"Ninety days. Look with your coach at what became a habit, and set the goals that suit your life.", "Noventa días. Repasa con tu mentor qué se volvió hábito y ponte las metas que van con tu vida."),
		},
	}
}
